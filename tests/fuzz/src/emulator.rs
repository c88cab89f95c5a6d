//! The instruction emulator on a CPU made of the input: it neither panics, runs away nor changes
//! anything when it refuses.

use crate::bytes::Bytes;
use x86_emulate::{
    Bits, Cpu, Gpr, Outcome, Privileged, Result, Segment, SegmentName, Size, Trap, forced, load,
    privileged, store,
};

/// Bytes of memory, which repeat through the address space.
const MEMORY: u64 = 256;
/// More accesses than any one call may make.
const ACCESSES: u32 = 512;

#[derive(Clone, PartialEq, Eq)]
struct Input {
    bits: Bits,
    gprs: [u64; 16],
    rip: u64,
    rflags: u64,
    segments: [Segment; 6],
    memory: Vec<u8>,
    /// Addresses with one of these bits fault.
    faulty: u64,
    kernel: bool,
    accesses: u32,
}

/// Executes the instruction that the input is made of, by each entry point.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let flags = bytes.u8();
    let bits = [Bits::B64, Bits::B64, Bits::B32, Bits::B16][usize::from(flags & 3)];
    let segment = |bytes: &mut Bytes<'_>| {
        let flags = bytes.u8();
        Segment {
            base: if flags & 1 != 0 {
                bytes.u32().into()
            } else {
                0
            },
            limit: if flags & 2 != 0 {
                bytes.u32()
            } else {
                u32::MAX
            },
            readable: flags & 4 == 0,
            writable: flags & 8 == 0,
            expand_down: flags & 16 != 0,
            big: flags & 32 != 0,
        }
    };
    let mut cpu = Input {
        bits,
        gprs: core::array::from_fn(|_| match bytes.u8() {
            small @ 0..200 => small.into(),
            200..220 => (bytes.u8() as i8 as i64) as u64,
            _ => bytes.u64(),
        }),
        rip: if flags & 4 != 0 { bytes.u64() } else { 0 },
        rflags: bytes.u32().into(),
        segments: core::array::from_fn(|_| segment(&mut bytes)),
        memory: Vec::new(),
        faulty: if flags & 8 != 0 {
            1 << (bytes.u8() & 63)
        } else {
            0
        },
        kernel: flags & 16 != 0,
        accesses: 0,
    };
    cpu.memory = bytes.0.to_vec();
    cpu.memory.resize(MEMORY as usize, 0x90);
    let entries: [fn(&mut Input) -> Result; 4] = [load, store, privileged, forced];
    for entry in entries {
        let mut after = cpu.clone();
        match entry(&mut after) {
            Ok(Outcome::Unhandled) => {
                after.accesses = 0;
                assert!(after == cpu, "changed and not handled");
            }
            Ok(Outcome::Done { .. }) => {}
            // The elements before a fault stay, as on the processor.
            Err(_) => assert_eq!(after.rip, cpu.rip),
        }
    }
}

impl Input {
    fn access(&mut self, address: u64) -> Result<()> {
        self.accesses += 1;
        assert!(self.accesses <= ACCESSES, "runs away");
        if address & self.faulty != 0 {
            return Err(Trap::page_fault(address, 0));
        }
        Ok(())
    }

    fn peek(&self, address: u64, size: Size) -> u64 {
        let byte = |n: u64| self.memory[(address.wrapping_add(n) % MEMORY) as usize];
        (0..size.bytes()).fold(0, |word, n| word | u64::from(byte(n)) << (8 * n))
    }

    fn poke(&mut self, address: u64, size: Size, value: u64) {
        assert_eq!(value & !size.mask(), 0, "more than was asked for");
        for n in 0..size.bytes() {
            self.memory[(address.wrapping_add(n) % MEMORY) as usize] = (value >> (8 * n)) as u8;
        }
    }
}

impl Cpu for Input {
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
        // CF, PF, AF, ZF, SF, OF and RF.
        assert_eq!((rflags ^ self.rflags) & !0x1_08d5, 0, "other flags change");
        self.rflags = rflags;
    }
    fn segment(&mut self, name: SegmentName) -> Result<Segment> {
        Ok(self.segments[name as usize])
    }
    fn fetch(&mut self, address: u64, code: &mut [u8]) -> Result<()> {
        let last = address.wrapping_add(code.len() as u64 - 1);
        assert_eq!(address >> 12, last >> 12, "a fetch across pages");
        self.access(address)?;
        for (n, byte) in (0..).zip(code) {
            *byte = self.memory[(address.wrapping_add(n) % MEMORY) as usize];
        }
        Ok(())
    }
    fn read(&mut self, address: u64, size: Size) -> Result<u64> {
        self.access(address)?;
        Ok(self.peek(address, size))
    }
    fn write(&mut self, address: u64, size: Size, value: u64) -> Result<()> {
        self.access(address)?;
        self.poke(address, size, value);
        Ok(())
    }
    fn compare_exchange(&mut self, address: u64, size: Size, old: u64, new: u64) -> Result<u64> {
        self.access(address)?;
        let found = self.peek(address, size);
        if found == old {
            self.poke(address, size, new);
        }
        Ok(found)
    }
}

/// What is read is made of where it is read; half of everything is refused.
fn special(index: u32) -> Result<u64> {
    if index & 1 == 0 {
        Ok(u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    } else {
        Err(Trap::GP)
    }
}

impl Privileged for Input {
    fn is_kernel(&self) -> bool {
        self.kernel
    }
    fn read_cr(&mut self, index: u8) -> Result<u64> {
        special(index.into())
    }
    fn write_cr(&mut self, index: u8, _: u64) -> Result<()> {
        special(index.into()).map(|_| ())
    }
    fn read_dr(&mut self, index: u8) -> Result<u64> {
        special(index.into())
    }
    fn write_dr(&mut self, index: u8, _: u64) -> Result<()> {
        special(index.into()).map(|_| ())
    }
    fn read_msr(&mut self, index: u32) -> Result<u64> {
        special(index)
    }
    fn write_msr(&mut self, index: u32, _: u64) -> Result<()> {
        special(index).map(|_| ())
    }
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> Result<[u32; 4]> {
        special(leaf).map(|_| [leaf, subleaf, 1, 2])
    }
    fn read_tsc(&mut self) -> Result<u64> {
        Ok(1)
    }
    fn read_tsc_aux(&mut self) -> Result<u32> {
        Ok(2)
    }
    fn read_xcr(&mut self, index: u32) -> Result<u64> {
        special(index)
    }
    fn write_xcr(&mut self, index: u32, _: u64) -> Result<()> {
        special(index).map(|_| ())
    }
    fn check_port(&mut self, port: u16, _: Size) -> Result<()> {
        special(port.into()).map(|_| ())
    }
    fn port_in(&mut self, port: u16, size: Size) -> Result<u32> {
        self.access(0)?;
        assert!(size != Size::B8);
        Ok(special(port.into())? as u32)
    }
    fn port_out(&mut self, port: u16, size: Size, _: u32) -> Result<()> {
        self.access(0)?;
        assert!(size != Size::B8);
        special(port.into()).map(|_| ())
    }
    fn set_interrupt_flag(&mut self, on: bool) -> Result<()> {
        special(on.into()).map(|_| ())
    }
    fn flush_caches(&mut self, _: bool) -> Result<()> {
        Ok(())
    }
}
