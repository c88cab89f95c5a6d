//! A virtual CPU made of arrays: 64 KiB of memory, of which pages can be made to fault.
#![allow(dead_code)]

use std::collections::BTreeMap;
use x86_emulate::{
    Bits, Cpu, Gpr, Outcome, Privileged, Result, Segment, SegmentName, Size, Trap, privileged,
    store,
};

/// Where tests put their code.
pub const CODE: u64 = 0x1000;
/// Where tests put their data.
pub const DATA: u64 = 0x4000;
pub const DONE: Result = Ok(Outcome::Done { single_step: false });
pub const UNHANDLED: Result = Ok(Outcome::Unhandled);
pub const FLAT: Segment = Segment {
    base: 0,
    limit: u32::MAX,
    readable: true,
    writable: true,
    expand_down: false,
    big: true,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fake {
    pub bits: Bits,
    pub gprs: [u64; 16],
    pub rip: u64,
    pub rflags: u64,
    pub segments: [Segment; 6],
    pub memory: Vec<u8>,
    /// Pages that fault, with the error code.
    pub faults: BTreeMap<u64, u32>,
    pub kernel: bool,
    pub crs: [u64; 16],
    pub drs: [u64; 16],
    pub msrs: BTreeMap<u32, u64>,
    pub xcrs: BTreeMap<u32, u64>,
    pub tsc: u64,
    /// Values that ports give, and accesses in order.
    pub ports: BTreeMap<u16, u32>,
    pub port_log: Vec<(u16, Size, Option<u32>)>,
    pub interrupt_flag: Option<bool>,
    pub flushes: Vec<bool>,
    /// Writes in order; `Some` is the expected value of a compare-exchange.
    pub writes: Vec<(u64, Size, u64, Option<u64>)>,
    /// How often another CPU changes the word before a compare-exchange.
    pub contention: u32,
}

impl Fake {
    pub fn new(code: &[u8]) -> Self {
        let mut fake = Self {
            bits: Bits::B64,
            gprs: [0; 16],
            rip: CODE,
            rflags: 2,
            segments: [FLAT; 6],
            memory: vec![0; 0x10000],
            faults: BTreeMap::new(),
            kernel: true,
            crs: [0; 16],
            drs: [0; 16],
            msrs: BTreeMap::new(),
            xcrs: BTreeMap::new(),
            tsc: 0,
            ports: BTreeMap::new(),
            port_log: Vec::new(),
            interrupt_flag: None,
            flushes: Vec::new(),
            writes: Vec::new(),
            contention: 0,
        };
        fake.put(CODE, code);
        fake
    }

    pub fn with(mut self, gpr: Gpr, value: u64) -> Self {
        self.set_gpr(gpr, value);
        self
    }

    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        self.memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    pub fn word(&self, at: u64) -> u64 {
        u64::from_le_bytes(
            self.memory[at as usize..at as usize + 8]
                .try_into()
                .unwrap(),
        )
    }

    fn check(&self, address: u64, size: u64) -> Result<()> {
        for at in [address, address + (size - 1)] {
            if let Some(&error) = self.faults.get(&(at & !0xfff)) {
                return Err(Trap::page_fault(at, error));
            }
            if at >= self.memory.len() as u64 {
                return Err(Trap::page_fault(at, 0));
            }
        }
        Ok(())
    }

    fn peek(&self, address: u64, size: Size) -> u64 {
        let mut bytes = [0; 8];
        let n = size.bytes() as usize;
        bytes[..n].copy_from_slice(&self.memory[address as usize..address as usize + n]);
        u64::from_le_bytes(bytes)
    }

    fn poke(&mut self, address: u64, size: Size, value: u64) {
        self.put(address, &value.to_le_bytes()[..size.bytes() as usize]);
    }
}

impl Cpu for Fake {
    fn bits(&self) -> Bits {
        self.bits
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
        Ok(self.segments[name as usize])
    }
    fn fetch(&mut self, address: u64, code: &mut [u8]) -> Result<()> {
        assert_eq!(address & !0xfff, (address + code.len() as u64 - 1) & !0xfff);
        self.check(address, code.len() as u64)?;
        code.copy_from_slice(&self.memory[address as usize..address as usize + code.len()]);
        Ok(())
    }
    fn read(&mut self, address: u64, size: Size) -> Result<u64> {
        self.check(address, size.bytes())?;
        Ok(self.peek(address, size))
    }
    fn write(&mut self, address: u64, size: Size, value: u64) -> Result<()> {
        self.check(address, size.bytes())?;
        self.writes.push((address, size, value, None));
        self.poke(address, size, value);
        Ok(())
    }
    fn compare_exchange(&mut self, address: u64, size: Size, old: u64, new: u64) -> Result<u64> {
        self.check(address, size.bytes())?;
        if self.contention > 0 {
            self.contention -= 1;
            let value = self.peek(address, size);
            self.poke(address, size, value ^ 0x20);
        }
        let found = self.peek(address, size);
        if found == old {
            self.writes.push((address, size, new, Some(old)));
            self.poke(address, size, new);
        }
        Ok(found)
    }
}

impl Privileged for Fake {
    fn is_kernel(&self) -> bool {
        self.kernel
    }
    fn read_cr(&mut self, index: u8) -> Result<u64> {
        Ok(self.crs[index as usize & 15])
    }
    fn write_cr(&mut self, index: u8, value: u64) -> Result<()> {
        self.crs[index as usize & 15] = value;
        Ok(())
    }
    fn read_dr(&mut self, index: u8) -> Result<u64> {
        Ok(self.drs[index as usize])
    }
    fn write_dr(&mut self, index: u8, value: u64) -> Result<()> {
        self.drs[index as usize] = value;
        Ok(())
    }
    fn read_msr(&mut self, index: u32) -> Result<u64> {
        self.msrs.get(&index).copied().ok_or(Trap::GP)
    }
    fn write_msr(&mut self, index: u32, value: u64) -> Result<()> {
        *self.msrs.get_mut(&index).ok_or(Trap::GP)? = value;
        Ok(())
    }
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> Result<[u32; 4]> {
        Ok([
            leaf.wrapping_add(1),
            subleaf.wrapping_add(2),
            0xcccc_cccc,
            0xdddd_dddd,
        ])
    }
    fn read_tsc(&mut self) -> Result<u64> {
        Ok(self.tsc)
    }
    fn read_tsc_aux(&mut self) -> Result<u32> {
        Ok(7)
    }
    fn read_xcr(&mut self, index: u32) -> Result<u64> {
        self.xcrs.get(&index).copied().ok_or(Trap::GP)
    }
    fn write_xcr(&mut self, index: u32, value: u64) -> Result<()> {
        *self.xcrs.get_mut(&index).ok_or(Trap::GP)? = value;
        Ok(())
    }
    fn check_port(&mut self, port: u16, _: Size) -> Result<()> {
        self.ports.get(&port).map(|_| ()).ok_or(Trap::GP)
    }
    fn port_in(&mut self, port: u16, size: Size) -> Result<u32> {
        let value = self.ports.get(&port).copied().ok_or(Trap::GP)?;
        self.port_log.push((port, size, None));
        Ok(value)
    }
    fn port_out(&mut self, port: u16, size: Size, value: u32) -> Result<()> {
        self.ports.get(&port).ok_or(Trap::GP)?;
        self.port_log.push((port, size, Some(value)));
        Ok(())
    }
    fn set_interrupt_flag(&mut self, on: bool) -> Result<()> {
        self.interrupt_flag = Some(on);
        Ok(())
    }
    fn flush_caches(&mut self, invalidate: bool) -> Result<()> {
        self.flushes.push(invalidate);
        Ok(())
    }
}

/// Executes one privileged instruction that must succeed, and checks that RIP moves past it.
pub fn run(mut fake: Fake, length: u64) -> Fake {
    assert_eq!(privileged(&mut fake), DONE);
    assert_eq!(fake.rip, CODE + length);
    fake
}

/// Executes one store that must succeed, and checks that RIP moves past it.
pub fn run_store(mut fake: Fake, length: u64) -> Fake {
    assert_eq!(store(&mut fake), DONE);
    assert_eq!(fake.rip, CODE + length);
    fake
}

/// Checks that `act` refuses with `expected` and changes nothing.
pub fn refused(mut fake: Fake, act: fn(&mut Fake) -> Result, expected: Result) {
    let before = fake.clone();
    assert_eq!(act(&mut fake), expected);
    assert_eq!(fake, before);
}
