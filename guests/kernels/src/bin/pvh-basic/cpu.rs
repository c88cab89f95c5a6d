//! The processor as the kernel sees it.

use guest_rt::harness::Outcome;
use guest_rt::insn::{self, cpuid, rdmsr, wrmsr, xgetbv, xsetbv};
use guest_rt::pvh::{self, cr};
use guest_rt::{check, mem, ok, same, traps};

const EFER: u32 = 0xc000_0080;
const FS_BASE: u32 = 0xc000_0100;

pub fn cpuid_hypervisor() -> Outcome {
    let base = ok!(pvh::hypervisor_leaf().ok_or(0));
    let [top, ..] = cpuid(base, 0);
    check!(top >= base + 4, "top {top:x}");
    same!(cpuid(base + 1, 0)[0], 4 << 16 | 20);
    let [pages, _, ..] = cpuid(base + 2, 0);
    same!(pages, 1);
    // The callback's acknowledge and the vCPU's id, at the least.
    let [features, vcpu, ..] = cpuid(base + 4, 0);
    check!(features & 1 << 3 != 0, "features {features:x}");
    same!(vcpu, 0);
    Ok(())
}

pub fn cpuid_features() -> Outcome {
    let [_, _, c, d] = cpuid(1, 0);
    check!(c >> 31 == 1, "no hypervisor bit");
    check!(c & 1 << 21 != 0, "no x2APIC");
    check!(d & 1 << 9 != 0, "no APIC");
    check!(d & 1 << 6 != 0, "no PAE");
    let [_, _, c, d] = cpuid(0x8000_0001, 0);
    check!(d & 1 << 29 != 0, "no long mode");
    check!(c & 1 << 2 == 0, "nested SVM");
    // A leaf beyond the last is zero on AMD.
    same!(cpuid(0x4f00_0000, 0)[1..2], [0]);
    Ok(())
}

/// RDTSCP and RDPID return the kernel's own number, each where there is such an instruction.
pub fn tsc_aux() -> Outcome {
    const TSC_AUX: u32 = 0xc000_0103;
    let rdtscp = cpuid(0x8000_0001, 0)[3] & 1 << 27 != 0;
    let rdpid = cpuid(7, 0)[2] & 1 << 22 != 0;
    if !rdtscp && !rdpid {
        traps!(13, rdmsr(TSC_AUX));
        traps!(13, wrmsr(TSC_AUX, 1));
        return Ok(());
    }
    for number in [0x8765_4321, 0] {
        wrmsr(TSC_AUX, number);
        same!(rdmsr(TSC_AUX), number);
        traps!(13, wrmsr(TSC_AUX, 1 << 32));
        if rdtscp {
            let before = insn::rdtsc();
            let (counter, seen) = insn::rdtscp();
            same!(u64::from(seen), number);
            check!(counter >= before, "{counter:x} after {before:x}");
        }
        if rdpid {
            same!(insn::rdpid(), number);
        }
    }
    Ok(())
}

pub fn exceptions() -> Outcome {
    traps!(6, insn::ud2());
    traps!(3, insn::int3());
    traps!(0, insn::div0());
    same!(traps!(13, mem::read_uncaught(0x8000_0000_0000)).error, 0);
    traps!(1, insn::single_step());
    Ok(())
}

pub fn page_faults() -> Outcome {
    let fault = traps!(14, mem::read_uncaught(0x100_0000_0000));
    same!(fault.cr2, 0x100_0000_0000);
    same!(fault.error, 0);
    let fault = traps!(14, mem::write_uncaught(0x100_0000_1238, 1));
    same!((fault.cr2, fault.error), (0x100_0000_1238, 2));
    let page = mem::alloc();
    let at = pvh::map_own(page, mem::pte::P);
    same!(traps!(14, mem::write_uncaught(at, 1)).error, 3);
    Ok(())
}

pub fn msr_plain() -> Outcome {
    let old = rdmsr(FS_BASE);
    wrmsr(FS_BASE, 0x1234_5678_9000);
    same!(rdmsr(FS_BASE), 0x1234_5678_9000);
    wrmsr(FS_BASE, old);
    for msr in [0xc000_0081, 0xc000_0082, 0xc000_0084, 0xc000_0102, 0x176] {
        let old = rdmsr(msr);
        wrmsr(msr, 0x10_2030);
        same!(rdmsr(msr), 0x10_2030);
        wrmsr(msr, old);
    }
    // PAT. What other types than the six do is the processor's affair.
    let old = rdmsr(0x277);
    same!(old as u32, 0x0007_0406);
    wrmsr(0x277, 0x0007_0106_0007_0106);
    same!(rdmsr(0x277), 0x0007_0106_0007_0106);
    wrmsr(0x277, old);
    same!(rdmsr(0x1b) & !0xfff, 0xfee0_0000);
    check!(rdmsr(0x1b) & 0x900 == 0x900, "APIC base {:x}", rdmsr(0x1b));
    Ok(())
}

pub fn msr_refused() -> Outcome {
    for msr in [0xdead, 0x48f, 0xc000_0200, 0x4b564d00] {
        let read = traps::catch(|| rdmsr(msr));
        check!(
            matches!(read, Err(f) if f.vector == 13 && f.error == 0),
            "{msr:x}: {read:x?}"
        );
        let write = traps::catch(|| wrmsr(msr, 0));
        check!(
            matches!(write, Err(f) if f.vector == 13),
            "{msr:x}: {write:x?}"
        );
    }
    Ok(())
}

pub fn efer() -> Outcome {
    let efer = rdmsr(EFER);
    same!(efer & 0x1d01, 0xd01);
    // Off and on again: SYSCALL.
    wrmsr(EFER, efer & !1);
    same!(rdmsr(EFER), efer & !1);
    wrmsr(EFER, efer);
    // Long mode cannot end while paging is on; SVM is not there; reserved bits are.
    traps!(13, wrmsr(EFER, efer & !0x100));
    traps!(13, wrmsr(EFER, efer | 1 << 12));
    traps!(13, wrmsr(EFER, efer | 1 << 20));
    same!(rdmsr(EFER), efer);
    Ok(())
}

pub fn control_registers() -> Outcome {
    let (cr0, cr4) = (cr::read0(), cr::read4());
    same!(cr0 & 0x8001_0033, 0x8001_0033);
    cr::write0(cr0 | 8);
    same!(cr::read0(), cr0 | 8);
    cr::write0(cr0 & !0x1_0000);
    same!(cr::read0(), cr0 & !0x1_0000);
    cr::write0(cr0);
    traps!(13, cr::write0(cr0 & !1)); // PE off with PG on
    // NW without CD is left out: the emulated processor takes it, and then refuses to run.
    same!(cr::read0(), cr0);
    cr::write4(cr4 | 0x80);
    same!(cr::read4(), cr4 | 0x80);
    cr::write4(cr4);
    traps!(13, cr::write4(cr4 & !0x20)); // PAE off in long mode
    traps!(13, cr::write4(cr4 | 1 << 13)); // VMXE
    traps!(13, cr::write4(cr4 | 1 << 31));
    same!(cr::read4(), cr4);
    let cr3 = cr::read3();
    cr::write3(cr3);
    same!(cr::read3(), cr3);
    Ok(())
}

pub fn debug_registers() -> Outcome {
    cr::write_dr0(0x1234_5678);
    same!(cr::read_dr0(), 0x1234_5678);
    cr::write_dr0(0);
    Ok(())
}

pub fn xcr0() -> Outcome {
    let [_, _, c, _] = cpuid(1, 0);
    check!(c & 1 << 26 != 0, "no XSAVE");
    let cr4 = cr::read4();
    cr::write4(cr4 & !(1 << 18));
    same!(cpuid(1, 0)[2] & 1 << 27, 0);
    traps!(6, xgetbv());
    cr::write4(cr4 | 1 << 18);
    same!(cpuid(1, 0)[2] & 1 << 27, 1 << 27);
    same!(xgetbv() & 1, 1);
    xsetbv(3);
    same!(xgetbv(), 3);
    traps!(13, xsetbv(0));
    traps!(13, xsetbv(5));
    traps!(13, xsetbv(1 << 62 | 1));
    same!(xgetbv(), 3);
    Ok(())
}

pub fn no_nested() -> Outcome {
    traps!(6, cr::vmrun());
    traps!(6, cr::vmcall());
    Ok(())
}

pub fn prefixed() -> Outcome {
    // A prefix without meaning: the instruction is one byte longer.
    let plain = cpuid(1, 0);
    same!(cr::cpuid_prefixed(1)[3], plain[3]);
    same!(cr::rdmsr_prefixed(0xc000_0080), rdmsr(EFER));
    Ok(())
}

pub fn fpu() -> Outcome {
    let [before, after, sum] = insn::fpu_across(0x1234_5678_9abc_def0, yields);
    same!(before, after);
    check!(sum != 0, "nothing was computed");
    Ok(())
}

extern "C" fn yields() {
    let _ = guest_rt::hypercall::call(xen_abi::hypercall::SCHED_OP, [0; 5]);
    let _ = cpuid(0, 0);
}
