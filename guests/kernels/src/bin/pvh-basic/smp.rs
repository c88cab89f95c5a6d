//! A second vCPU.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use guest_rt::harness::Outcome;
use guest_rt::pvh::apic::*;
use guest_rt::pvh::smp;
use guest_rt::pvh::traps::{self as irq, Eoi};
use guest_rt::time::{MS, wait};
use guest_rt::{check, hypercall, insn, local, mem, ok, refused, same};
use xen_abi::memory::reservation::*;
use xen_abi::vcpu::*;
use xen_abi::xen::DOMID_SELF;

/// What the second vCPU is to do, and how far it is.
static ORDER: AtomicU32 = AtomicU32::new(0);
static STATE: AtomicU32 = AtomicU32::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);

const QUIT: u32 = 1;
const READ: u32 = 2;

/// A frame in the middle of RAM.
const SPARE: u64 = 0x900_0000;

fn second() {
    write(SVR, 0x1ff);
    SEEN.store(
        u64::from(read(ID)) << 32 | u64::from(insn::cpuid(1, 0)[1] >> 24) << 8 | local::id() as u64,
        Ordering::SeqCst,
    );
    STATE.store(1, Ordering::SeqCst);
    irq::with_interrupts(|| {
        loop {
            match ORDER.load(Ordering::SeqCst) {
                QUIT => break,
                READ => {
                    SEEN.store(mem::read_uncaught(SPARE), Ordering::SeqCst);
                    ORDER.store(0, Ordering::SeqCst);
                }
                _ => core::hint::spin_loop(),
            }
        }
    });
    STATE.store(2, Ordering::SeqCst);
}

fn reaches(state: u32) -> bool {
    wait(2000 * MS, || STATE.load(Ordering::SeqCst) == state)
}

pub fn refused() -> Outcome {
    refused!(hypercall::vcpu_plain(VCPUOP_up, 1), EINVAL);
    refused!(hypercall::vcpu_plain(VCPUOP_up, 99), ENOENT);
    let mut bad = smp::context(1);
    bad.cpu_regs[13] = 0xc01; // EFER without long mode
    refused!(hypercall::vcpu(VCPUOP_initialise, 1, &mut bad), EINVAL);
    bad = smp::context(1);
    bad.mode = 7;
    refused!(hypercall::vcpu(VCPUOP_initialise, 1, &mut bad), EINVAL);
    Ok(())
}

pub fn bring_up() -> Outcome {
    irq::set_eoi(Eoi::Xapic);
    ok!(smp::start(1, second));
    check!(reaches(1), "it did not start");
    // The APIC's id is twice the vCPU's number, in the page and in CPUID.
    same!(SEEN.load(Ordering::SeqCst), 2 << 56 | 2 << 8 | 1);
    same!(ok!(hypercall::vcpu_plain(VCPUOP_is_up, 1)), 1);
    let mut again = smp::context(1);
    refused!(hypercall::vcpu(VCPUOP_initialise, 1, &mut again), EEXIST);
    Ok(())
}

pub fn interrupt() -> Outcome {
    write(SVR, 0x1ff);
    for (high, low) in [(2 << 24, 0x4045), (0, 0xc_4046), (0xff << 24, 0x4047)] {
        let vector = low as u8;
        let before = irq::count(vector);
        write(ICR_HIGH, high);
        write(ICR, low);
        let came = wait(2000 * MS, || irq::count(vector) > before);
        check!(came, "{vector:x} did not come");
    }
    // The last was for all: this vCPU's own waits.
    let before = irq::count(0x47);
    irq::with_interrupts(|| core::hint::spin_loop());
    same!(irq::count(0x47), before + 1);
    Ok(())
}

fn ask() -> Option<u64> {
    ORDER.store(READ, Ordering::SeqCst);
    wait(2000 * MS, || ORDER.load(Ordering::SeqCst) == 0).then(|| SEEN.load(Ordering::SeqCst))
}

/// What one vCPU takes out of physical memory, the other does not reach any more.
pub fn nested_flush() -> Outcome {
    mem::write_uncaught(SPARE, 0x1234);
    same!(ask(), Some(0x1234));
    let list = [SPARE >> 12];
    let mut wish = MemoryReservation {
        extent_start: list.as_ptr() as u64,
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    for round in 0..8 {
        same!(
            ok!(hypercall::memory(XENMEM_decrease_reservation, &mut wish)),
            1
        );
        same!(ask(), Some(u64::MAX));
        same!(
            ok!(hypercall::memory(XENMEM_populate_physmap, &mut wish)),
            1
        );
        mem::write_uncaught(SPARE, round);
        same!(ask(), Some(round));
    }
    Ok(())
}

pub fn down() -> Outcome {
    ORDER.store(QUIT, Ordering::SeqCst);
    check!(reaches(2), "it did not end");
    check!(wait(2000 * MS, || !smp::running()), "it still runs");
    let gone = wait(2000 * MS, || {
        hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)
    });
    check!(gone, "it is still up");
    ORDER.store(0, Ordering::SeqCst);
    ok!(smp::restart(1, second));
    check!(reaches(1), "it did not start again");
    ORDER.store(QUIT, Ordering::SeqCst);
    check!(reaches(2), "it did not end again");
    Ok(())
}

/// INIT and SIPI start a vCPU in real mode. The code counts in its own page and halts for good.
pub fn init_sipi() -> Outcome {
    const PAGE: u64 = 0x8000;
    // cli; mov ax, cs; mov ds, ax; lock inc dword [0xff0]; hlt; jmp to the hlt
    let code: [u8; 16] = [
        0xfa, 0x8c, 0xc8, 0x8e, 0xd8, 0x66, 0xf0, 0xff, 0x06, 0xf0, 0x0f, 0xf4, 0xeb, 0xfd, 0, 0,
    ];
    for (word, at) in code.as_chunks::<8>().0.iter().zip([PAGE, PAGE + 8]) {
        mem::write_uncaught(at, u64::from_le_bytes(*word));
    }
    mem::write_uncaught(PAGE + 0xff0, 0);
    let count = || mem::read_uncaught(PAGE + 0xff0);
    write(ICR_HIGH, 2 << 24);
    write(ICR, 0x4500);
    same!(count(), 0);
    write(ICR, 0x4608);
    check!(wait(2000 * MS, || count() == 1), "it did not start");
    // It halted with interrupts off: it is down, and starts again from INIT only.
    let down = wait(2000 * MS, || {
        hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)
    });
    check!(down, "it is still up");
    write(ICR, 0x4608);
    same!(count(), 1);
    write(ICR, 0x4500);
    write(ICR, 0x4608);
    check!(wait(2000 * MS, || count() == 2), "it did not start again");
    Ok(())
}
