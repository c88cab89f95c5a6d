//! What a control domain finds of the machine: ACPI tables of its own, virtual I/O APICs.

use guest_rt::harness::Outcome;
use guest_rt::pvh::{self, mmio};
use guest_rt::{check, mem, same};

const IO_APIC: u64 = 0xfec0_0000;
const SELECT: u64 = IO_APIC;
const WINDOW: u64 = IO_APIC + 0x10;

fn byte(at: u64) -> u8 {
    (mem::read_uncaught(at & !7) >> (8 * (at & 7))) as u8
}

/// The little-endian number of `bytes` bytes at `at`, which need not be aligned.
fn number(at: u64, bytes: u64) -> u64 {
    (0..bytes).fold(0, |sum, i| sum | u64::from(byte(at + i)) << (8 * i))
}

fn sum(at: u64, len: u64) -> u8 {
    (at..at + len).fold(0, |sum: u8, at| sum.wrapping_add(byte(at)))
}

fn is(at: u64, text: &[u8]) -> bool {
    (at..).zip(text).all(|(at, want)| byte(at) == *want)
}

/// The table called `signature` that the root leads to.
fn table(signature: &[u8; 4]) -> Option<u64> {
    let xsdt = number(pvh::start_info().rsdp_paddr + 24, 8);
    let end = xsdt + number(xsdt + 4, 4);
    (xsdt + 36..end)
        .step_by(8)
        .map(|at| number(at, 8))
        .find(|at| is(*at, signature))
}

pub fn acpi() -> Outcome {
    let root = pvh::start_info().rsdp_paddr;
    check!(is(root, b"RSD PTR "), "no root pointer");
    same!(sum(root, 20), 0);
    same!(byte(root + 15), 2);
    same!(sum(root, 36), 0);
    let xsdt = number(root + 24, 8);
    check!(is(xsdt, b"XSDT"), "no XSDT at {xsdt:x}");
    same!(sum(xsdt, number(xsdt + 4, 4)), 0);
    check!(table(b"FACP").is_some(), "no FADT");
    check!(table(b"HPET").is_none(), "the HPET is shown");
    Ok(())
}

pub fn processors() -> Outcome {
    let Some(madt) = table(b"APIC") else {
        check!(false, "no MADT");
        return Ok(());
    };
    let len = number(madt + 4, 4);
    same!(sum(madt, len), 0);
    // No 8259s.
    same!(number(madt + 40, 4) & 1, 0);
    let (mut at, mut processors, mut io_apic) = (madt + 44, 0, false);
    while at < madt + len {
        match byte(at) {
            0 if number(at + 4, 4) & 1 != 0 => {
                same!(u64::from(byte(at + 3)), 2 * processors);
                processors += 1;
            }
            9 if number(at + 8, 4) & 1 != 0 => {
                same!(number(at + 4, 4), 2 * processors);
                processors += 1;
            }
            1 => io_apic |= number(at + 4, 4) == IO_APIC && number(at + 8, 4) == 0,
            _ => {}
        }
        check!(byte(at + 1) >= 2, "an entry without length");
        at += u64::from(byte(at + 1));
    }
    same!(processors, 2);
    check!(io_apic, "no I/O APIC at {IO_APIC:x}");
    Ok(())
}

fn register(index: u32) -> u32 {
    mmio::write32(SELECT, index);
    mmio::read32(WINDOW)
}

fn set(index: u32, value: u32) {
    mmio::write32(SELECT, index);
    mmio::write32(WINDOW, value);
}

pub fn io_apic() -> Outcome {
    same!(register(1), 23 << 16 | 0x11);
    same!(mmio::read32(SELECT), 1);
    for pin in [1, 23] {
        let low = 0x10 + 2 * pin;
        same!(register(low), 0x1_0000);
        // Delivery status and remote IRR cannot be written.
        set(low, 0x1_f051);
        same!(register(low), 0x1_a051);
        set(low + 1, 0x0200_0000);
        same!(register(low + 1), 0x0200_0000);
        set(low, 0x1_0000);
        set(low + 1, 0);
    }
    Ok(())
}
