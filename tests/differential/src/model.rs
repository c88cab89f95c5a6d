//! The virtual CPU that the emulator works on: the case's registers, and memory laid out as the
//! native process has it.

use crate::case::{Case, TF};
use crate::layout::{self, CODE, CODE_END, DATA, DATA_END, PAGE, READ_ONLY};
use x86_emulate::{
    Bits, Cpu, Gpr, Outcome, Privileged, Result, Segment, SegmentName, Size, Trap, load,
    privileged, store,
};

/// Of a page fault's error code: the page is there.
pub const PRESENT: u32 = 1;
/// The access writes; it comes from ring 3; it fetches code.
const WRITE: u32 = 2;
const USER: u32 = 4;
const FETCH: u32 = 16;

type Entry = fn(&mut Model) -> Result;

/// The virtual CPU.
pub struct Model {
    case: Case,
    /// General registers.
    pub gprs: [u64; 16],
    /// The instruction pointer.
    pub rip: u64,
    /// The flags.
    pub rflags: u64,
    /// Memory from the code's first byte to the data's last.
    pub memory: Vec<u8>,
    /// Where the last instruction wrote, and how much.
    pub written: Vec<(u64, u64)>,
}

impl Model {
    /// A CPU whose data are what `random` gives.
    pub fn new(mut random: impl FnMut() -> u64) -> Model {
        let mut memory = vec![0; (DATA_END - CODE) as usize];
        for word in memory[(DATA - CODE) as usize..].chunks_exact_mut(8) {
            word.copy_from_slice(&random().to_le_bytes());
        }
        Model {
            case: Case::new(Bits::B64),
            gprs: [0; 16],
            rip: 0,
            rflags: 0,
            memory,
            written: Vec::new(),
        }
    }

    /// Executes the case's instruction; which entry point did it.
    pub fn run(&mut self, case: &Case) -> (Result, &'static str) {
        self.case.clone_from(case);
        let entries: [(Entry, _); 3] =
            [(load, "load"), (store, "store"), (privileged, "privileged")];
        for (entry, name) in entries {
            self.gprs = case.gprs;
            self.rip = case.rip();
            self.rflags = case.flags | TF | 2;
            self.written.clear();
            let result = entry(self);
            if result != Ok(Outcome::Unhandled) {
                return (result, name);
            }
        }
        (Ok(Outcome::Unhandled), "")
    }

    /// Whether an access of `len` bytes is possible.
    fn check(&self, address: u64, len: u64, access: u32) -> Result<()> {
        let width = if self.case.bits == Bits::B64 {
            u64::MAX
        } else {
            u32::MAX.into()
        };
        for offset in 0..len {
            let at = address.wrapping_add(offset) & width;
            let (mapped, allowed) = match at {
                CODE..CODE_END => (true, access & WRITE == 0),
                DATA..READ_ONLY => (true, access & FETCH == 0),
                READ_ONLY..DATA_END => (true, access & (WRITE | FETCH) == 0),
                _ => (false, false),
            };
            if !allowed {
                let present = if mapped { PRESENT } else { 0 };
                // The first byte of the operand that is on the page.
                return Err(Trap::page_fault(at, access | present | USER));
            }
        }
        Ok(())
    }

    /// The bytes at `address`, which are mapped.
    pub fn bytes(&mut self, address: u64, len: u64) -> &mut [u8] {
        let start = (address - CODE) as usize;
        &mut self.memory[start..start + len as usize]
    }

    fn peek(&mut self, address: u64, size: Size) -> u64 {
        let mut word = [0; 8];
        word[..size.bytes() as usize].copy_from_slice(self.bytes(address, size.bytes()));
        u64::from_le_bytes(word)
    }

    fn poke(&mut self, address: u64, size: Size, value: u64) {
        self.written.push((address, size.bytes()));
        self.bytes(address, size.bytes())
            .copy_from_slice(&value.to_le_bytes()[..size.bytes() as usize]);
    }

    /// What stands at a data address, for whoever makes up cases; zero where nothing does.
    pub fn word(&mut self, address: u64) -> u64 {
        if (DATA..=DATA_END - 8).contains(&address) {
            self.peek(address, Size::B8)
        } else {
            0
        }
    }
}

impl Cpu for Model {
    fn bits(&self) -> Bits {
        self.case.bits
    }
    fn gpr(&self, gpr: Gpr) -> u64 {
        self.gprs[gpr as usize]
    }
    fn set_gpr(&mut self, gpr: Gpr, value: u64) {
        self.gprs[gpr as usize] = value;
    }
    fn rip(&self) -> u64 {
        self.rip
    }
    fn set_rip(&mut self, rip: u64) {
        self.rip = rip;
    }
    fn rflags(&self) -> u64 {
        self.rflags
    }
    fn set_rflags(&mut self, rflags: u64) {
        self.rflags = rflags;
    }
    fn segment(&mut self, name: SegmentName) -> Result<Segment> {
        if self.case.bits == Bits::B64 {
            let base = self.case.base(name);
            return layout::segment(layout::FLAT)
                .map(|flat| Segment { base, ..flat })
                .ok_or(Trap::GP);
        }
        layout::segment(self.case.selector(name)).ok_or(Trap::GP)
    }
    fn fetch(&mut self, address: u64, code: &mut [u8]) -> Result<()> {
        assert_eq!(address / PAGE, (address + code.len() as u64 - 1) / PAGE);
        self.check(address, code.len() as u64, FETCH)?;
        code.copy_from_slice(self.bytes(address, code.len() as u64));
        Ok(())
    }
    fn read(&mut self, address: u64, size: Size) -> Result<u64> {
        self.check(address, size.bytes(), 0)?;
        Ok(self.peek(address, size))
    }
    fn read_to_write(&mut self, address: u64, size: Size) -> Result<u64> {
        self.check(address, size.bytes(), WRITE)?;
        Ok(self.peek(address, size))
    }
    fn write(&mut self, address: u64, size: Size, value: u64) -> Result<()> {
        self.check(address, size.bytes(), WRITE)?;
        self.poke(address, size, value);
        Ok(())
    }
    fn compare_exchange(&mut self, address: u64, size: Size, old: u64, new: u64) -> Result<u64> {
        self.check(address, size.bytes(), WRITE)?;
        let found = self.peek(address, size);
        if found == old {
            self.poke(address, size, new);
        }
        Ok(found)
    }
}

/// What a process may not do: all of it.
impl Privileged for Model {
    fn is_kernel(&self) -> bool {
        false
    }
    fn read_cr(&mut self, _: u8) -> Result<u64> {
        Err(Trap::GP)
    }
    fn write_cr(&mut self, _: u8, _: u64) -> Result<()> {
        Err(Trap::GP)
    }
    fn read_dr(&mut self, _: u8) -> Result<u64> {
        Err(Trap::GP)
    }
    fn write_dr(&mut self, _: u8, _: u64) -> Result<()> {
        Err(Trap::GP)
    }
    fn read_msr(&mut self, _: u32) -> Result<u64> {
        Err(Trap::GP)
    }
    fn write_msr(&mut self, _: u32, _: u64) -> Result<()> {
        Err(Trap::GP)
    }
    fn cpuid(&mut self, _: u32, _: u32) -> Result<[u32; 4]> {
        Err(Trap::GP)
    }
    fn read_tsc(&mut self) -> Result<u64> {
        Err(Trap::GP)
    }
    fn read_tsc_aux(&mut self) -> Result<u32> {
        Err(Trap::GP)
    }
    fn read_xcr(&mut self, _: u32) -> Result<u64> {
        Err(Trap::GP)
    }
    fn write_xcr(&mut self, _: u32, _: u64) -> Result<()> {
        Err(Trap::GP)
    }
    fn check_port(&mut self, _: u16, _: Size) -> Result<()> {
        Err(Trap::GP)
    }
    fn port_in(&mut self, _: u16, _: Size) -> Result<u32> {
        Err(Trap::GP)
    }
    fn port_out(&mut self, _: u16, _: Size, _: u32) -> Result<()> {
        Err(Trap::GP)
    }
    fn set_interrupt_flag(&mut self, _: bool) -> Result<()> {
        Err(Trap::GP)
    }
    fn flush_caches(&mut self, _: bool) -> Result<()> {
        Err(Trap::GP)
    }
}
