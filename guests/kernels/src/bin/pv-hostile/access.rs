//! Memory, ports, registers and instructions that are not the guest's.

use super::HYPERVISOR;
use guest_rt::harness::Outcome;
use guest_rt::{check, hypercall, insn, mem, ok, same, traps};
use xen_abi::hypercall::PHYSDEV_OP;
use xen_abi::physdev::{PHYSDEVOP_set_iopl, PhysdevSetIopl};

pub fn read_hypervisor() -> Outcome {
    for va in [
        HYPERVISOR[1],
        HYPERVISOR[2],
        HYPERVISOR[3],
        0xffff_8040_0000_0000,
        0xffff_8180_0000_0000,
    ] {
        let fault = traps!(14, mem::read_uncaught(va));
        same!(fault.cr2, va);
        let fault = traps!(14, mem::write_uncaught(va, 0));
        same!(fault.cr2, va);
    }
    Ok(())
}

pub fn write_m2p() -> Outcome {
    let va = mem::M2P + mem::alloc().mfn() * 8;
    ok!(mem::probe_read(va));
    let fault = traps!(14, mem::write_uncaught(va, 0));
    same!((fault.cr2, fault.error), (va, 3));
    Ok(())
}

pub fn execute() -> Outcome {
    for va in HYPERVISOR {
        let fault = traps!(14, insn::jump_to(va));
        same!((fault.cr2, fault.rip), (va, va));
    }
    Ok(())
}

fn iopl(level: u32) -> hypercall::HyperResult {
    hypercall::op(
        PHYSDEV_OP,
        PHYSDEVOP_set_iopl,
        &mut PhysdevSetIopl { iopl: level },
    )
}

pub fn ports() -> Outcome {
    ok!(iopl(1));
    // Read as nothing and written to no effect, or trapped: both PICs, the PIT's counter 0, the hypervisor's UART.
    for port in [0x20u16, 0x21, 0xa0, 0xa1, 0x40, 0x3f8, 0x3fd] {
        let read = traps::catch(|| insn::in8(port));
        check!(
            read.is_err_and(|f| f.vector == 13) || read == Ok(0xff),
            "in {port:#x}: {read:x?}"
        );
        let write = traps::catch(|| insn::out8(port, 0xff));
        check!(
            write.is_err_and(|f| f.vector == 13) || write == Ok(()),
            "out {port:#x}: {write:x?}"
        );
    }
    ok!(iopl(0));
    traps!(13, insn::in8(0x80));
    Ok(())
}

pub fn msrs() -> Outcome {
    // Unknown ones, and the hypervisor's entry points.
    for msr in [0xdead_beef_u32, 0x4000_0200, 0xc001_0117] {
        traps!(13, insn::rdmsr(msr));
    }
    for msr in [0xdead_beefu32, 0xc001_0117] {
        traps!(13, insn::wrmsr(msr, 1));
    }
    // Bases that are no addresses.
    for msr in [0xc000_0100u32, 0xc000_0101, 0xc000_0102] {
        traps!(13, insn::wrmsr(msr, super::NON_CANONICAL));
    }
    // EFER with another value, and the SYSCALL entry: refused or without effect.
    let efer = insn::rdmsr(0xc000_0080);
    let _ = traps::catch(|| insn::wrmsr(0xc000_0080, efer & !1));
    let _ = traps::catch(|| insn::wrmsr(0xc000_0082, 0));
    let _ = traps::catch(|| insn::wrmsr(0x174, 0));
    same!(insn::rdmsr(0xc000_0080), efer);
    ok!(hypercall::call(xen_abi::hypercall::XEN_VERSION, [0; 5]));
    Ok(())
}

pub fn instructions() -> Outcome {
    traps!(13, insn::hlt());
    traps!(13, insn::lgdt());
    traps!(13, insn::lidt());
    traps!(13, insn::lldt(0xe048));
    traps!(13, insn::ltr(0xe040));
    traps!(13, insn::swapgs());
    traps!(13, insn::lmsw(0));
    traps!(13, insn::invlpg(0));
    traps!(13, insn::cli());
    traps!(13, insn::sti());
    Ok(())
}

pub fn control_registers() -> Outcome {
    let (cr0, cr4) = (insn::cr0(), insn::cr4());
    // Bits that would switch protection off.
    for bits in [1u64, 1 << 31, 1 << 16] {
        let _ = traps::catch(|| insn::write_cr0(cr0 ^ bits));
    }
    for bits in [1u64 << 5, 1 << 20, 1 << 21, 1 << 13] {
        let _ = traps::catch(|| insn::write_cr4(cr4 ^ bits));
    }
    same!(insn::cr0(), cr0);
    same!(insn::cr4(), cr4);
    traps!(13, insn::cr8());
    traps!(13, insn::write_cr8(0));
    // A base that is no L4 of ours.
    let write = traps::catch(|| insn::write_cr3(super::free_frame() << 12));
    check!(
        write.is_err_and(|f| f.vector == 13),
        "CR3 with a frame of nobody: {write:x?}"
    );
    ok!(traps::catch(|| insn::write_cr3(mem::boot_l4_mfn() << 12)));
    Ok(())
}
