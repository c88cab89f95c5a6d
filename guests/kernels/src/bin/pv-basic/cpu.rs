//! Registers and instructions that the hypervisor keeps or emulates.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::{check, hypercall, insn, mem, ok, refused, same, traps};
use xen_abi::arch_x86::*;
use xen_abi::hypercall::*;
use xen_abi::physdev::{PHYSDEVOP_set_iopl, PhysdevSetIopl};
use xen_abi::version::XENVER_version;
use xen_abi::xen::{MulticallEntry, VMASST_CMD_disable, VMASST_CMD_enable};

fn set_debugreg(reg: u64, value: u64) -> hypercall::HyperResult {
    hypercall::call(SET_DEBUGREG, [reg, value, 0, 0, 0])
}

fn get_debugreg(reg: u64) -> hypercall::HyperResult {
    hypercall::call(GET_DEBUGREG, [reg, 0, 0, 0, 0])
}

pub fn debug_registers() -> Outcome {
    for reg in 0..4 {
        ok!(set_debugreg(reg, 0x1000 * (reg + 1)));
        same!(get_debugreg(reg), Ok(0x1000 * (reg as i64 + 1)));
    }
    // Not on the hypervisor's addresses.
    refused!(
        set_debugreg(0, HYPERVISOR_VIRT_START + 0x80_0000_0000),
        EPERM
    );
    refused!(set_debugreg(8, 0), ENODEV);
    refused!(get_debugreg(8), ENODEV);
    for reg in 0..4 {
        ok!(set_debugreg(reg, 0));
    }
    ok!(set_debugreg(7, 0));
    Ok(())
}

pub fn breakpoint() -> Outcome {
    let page = mem::alloc();
    ok!(set_debugreg(0, page.va()));
    // DR7: local and global enable of 0, write, eight bytes.
    ok!(set_debugreg(7, 0x3 | 0x1 << 16 | 0x2 << 18));
    let fault = traps::catch(|| page.set(0, 1));
    let dr6 = get_debugreg(6);
    ok!(set_debugreg(7, 0));
    check!(fault.is_err_and(|f| f.vector == 1), "no debug trap");
    same!(ok!(dr6) & 1, 1);
    ok!(traps::catch(|| page.set(0, 2)));
    Ok(())
}

pub fn fpu_taskswitch() -> Outcome {
    ok!(hypercall::call(FPU_TASKSWITCH, [1, 0, 0, 0, 0]));
    same!(insn::cr0() & 8, 8);
    insn::clts();
    same!(insn::cr0() & 8, 0);
    ok!(traps::catch(insn::fnop));
    ok!(hypercall::call(FPU_TASKSWITCH, [1, 0, 0, 0, 0]));
    ok!(hypercall::call(FPU_TASKSWITCH, [0, 0, 0, 0, 0]));
    ok!(traps::catch(insn::fnop));
    Ok(())
}

pub fn cpuid_forced() -> Outcome {
    let max = ok!(traps::catch(|| insn::cpuid_forced(0, 0)));
    check!(max[0] >= 0xd, "highest basic leaf {:#x}", max[0]);
    let one = insn::cpuid_forced(1, 0);
    check!(one[2] >> 31 & 1 == 1, "no hypervisor bit in {:#x}", one[2]);
    check!(
        one[3] >> 9 & 1 == 1 || one[3] >> 4 & 1 == 1,
        "leaf 1 EDX {:#x}",
        one[3]
    );
    // Never offered to a PV guest: VMX, PCID; SMEP and SMAP.
    same!(one[2] & (1 << 5 | 1 << 17), 0);
    same!(insn::cpuid_forced(7, 0)[1] & (1 << 7 | 1 << 20), 0);
    let ext = insn::cpuid_forced(0x8000_0001, 0);
    check!(
        ext[3] >> 29 & 1 == 1 && ext[3] >> 11 & 1 == 1,
        "no long mode or SYSCALL in {:#x}",
        ext[3]
    );
    same!(ext[2] >> 2 & 1, 0);
    Ok(())
}

pub fn xen_leaves() -> Outcome {
    let base = insn::cpuid_forced(XEN_CPUID_FIRST_LEAF, 0);
    same!(
        [base[1], base[2], base[3]],
        [
            XEN_CPUID_SIGNATURE_EBX,
            XEN_CPUID_SIGNATURE_ECX,
            XEN_CPUID_SIGNATURE_EDX
        ]
    );
    check!(
        base[0] >= XEN_CPUID_FIRST_LEAF + 3,
        "highest leaf {:#x}",
        base[0]
    );
    same!(
        insn::cpuid_forced(XEN_CPUID_FIRST_LEAF + 1, 0)[0],
        4 << 16 | 20
    );
    let two = insn::cpuid_forced(XEN_CPUID_FIRST_LEAF + 2, 0);
    same!(two[0], 1);
    same!(
        two[2] & XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD,
        XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD
    );
    Ok(())
}

pub fn rdmsr() -> Outcome {
    // EFER: long mode, SYSCALL and NX as a kernel expects them.
    let efer = ok!(traps::catch(|| insn::rdmsr(0xc000_0080)));
    check!(efer & 0x500 == 0x500, "EFER {efer:#x}");
    ok!(traps::catch(|| insn::rdmsr(0x1b)));
    ok!(traps::catch(|| insn::rdmsr(0xc000_0100)));
    ok!(traps::catch(|| insn::rdmsr(0x277)));
    Ok(())
}

pub fn wrmsr() -> Outcome {
    let page = mem::alloc();
    page.set(0, 0xf5);
    ok!(traps::catch(|| insn::wrmsr(0xc000_0100, page.va())));
    same!(insn::rdmsr(0xc000_0100), page.va());
    same!(insn::read_fs0(), 0xf5);
    insn::wrmsr(0xc000_0100, 0);
    // Writing the value an MSR has is tolerated where writing another is not heeded.
    let efer = insn::rdmsr(0xc000_0080);
    ok!(traps::catch(|| insn::wrmsr(0xc000_0080, efer)));
    Ok(())
}

pub fn control_registers() -> Outcome {
    let cr0 = ok!(traps::catch(insn::cr0));
    same!(cr0 & 0x8005_0033, 0x8005_0033);
    let cr4 = ok!(traps::catch(insn::cr4));
    check!(cr4 & 1 << 5 != 0, "CR4 {cr4:#x} without PAE");
    let cr3 = ok!(traps::catch(insn::cr3));
    same!(cr3 >> 12, mem::boot_l4_mfn());
    ok!(traps::catch(insn::cr2));
    ok!(traps::catch(|| insn::write_cr0(cr0)));
    ok!(traps::catch(|| insn::write_cr4(cr4)));
    Ok(())
}

pub fn ports() -> Outcome {
    ok!(hypercall::op(
        PHYSDEV_OP,
        PHYSDEVOP_set_iopl,
        &mut PhysdevSetIopl { iopl: 1 }
    ));
    // dom0 has the RTC: index and data, emulated or direct.
    ok!(traps::catch(|| insn::out8(0x70, 0x0a)));
    ok!(traps::catch(|| insn::in8(0x71)));
    // PCI configuration: the host bridge of the machine answers.
    ok!(traps::catch(|| insn::out32(0xcf8, 0x8000_0000)));
    let id = ok!(traps::catch(|| insn::in32(0xcfc)));
    check!(id & 0xffff == 0x8086, "host bridge {id:#x}");
    ok!(traps::catch(|| insn::in8(0x61)));
    // Without the I/O privilege there is no port access at all.
    ok!(hypercall::op(
        PHYSDEV_OP,
        PHYSDEVOP_set_iopl,
        &mut PhysdevSetIopl { iopl: 0 }
    ));
    guest_rt::traps!(13, insn::in8(0x71));
    Ok(())
}

pub fn segment_bases() -> Outcome {
    let page = mem::alloc();
    page.set(0, 0xbace);
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_FS), page.va(), 0, 0, 0]
    ));
    same!(insn::read_fs0(), 0xbace);
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_FS), 0, 0, 0, 0]
    ));
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_GS_KERNEL), page.va(), 0, 0, 0]
    ));
    same!(insn::read_gs0(), 0xbace);
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_GS_KERNEL), 0, 0, 0, 0]
    ));
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_GS_USER), page.va(), 0, 0, 0]
    ));
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_GS_USER), 0, 0, 0, 0]
    ));
    ok!(hypercall::call(
        SET_SEGMENT_BASE,
        [u64::from(SEGBASE_GS_USER_SEL), 0, 0, 0, 0]
    ));
    refused!(hypercall::call(SET_SEGMENT_BASE, [4, 0, 0, 0, 0]), EINVAL);
    Ok(())
}

pub fn vm_assist() -> Outcome {
    for kind in [2, 4, 5] {
        same!(
            hypercall::call(VM_ASSIST, [u64::from(VMASST_CMD_enable), kind, 0, 0, 0]),
            Ok(0)
        );
        same!(
            hypercall::call(VM_ASSIST, [u64::from(VMASST_CMD_disable), kind, 0, 0, 0]),
            Ok(0)
        );
    }
    refused!(
        hypercall::call(VM_ASSIST, [u64::from(VMASST_CMD_enable), 63, 0, 0, 0]),
        EINVAL
    );
    refused!(hypercall::call(VM_ASSIST, [2, 2, 0, 0, 0]), ENOSYS);
    Ok(())
}

pub fn multicall() -> Outcome {
    let mut calls = [MulticallEntry::default(); 4];
    for call in &mut calls {
        call.op = u64::from(XEN_VERSION);
        call.args[0] = u64::from(XENVER_version);
        call.result = 0xbad;
    }
    calls[1].op = 63;
    calls[2].op = u64::from(SET_DEBUGREG);
    calls[2].args = [8, 0, 0, 0, 0, 0];
    same!(
        hypercall::call(MULTICALL, [calls.as_mut_ptr() as u64, 4, 0, 0, 0]),
        Ok(0)
    );
    same!(
        calls.map(|c| c.result as i64),
        [4 << 16 | 20, -38, -19, 4 << 16 | 20]
    );
    same!(hypercall::call(MULTICALL, [0, 0, 0, 0, 0]), Ok(0));
    Ok(())
}

pub fn iopl() -> Outcome {
    ok!(hypercall::op(
        PHYSDEV_OP,
        PHYSDEVOP_set_iopl,
        &mut PhysdevSetIopl { iopl: 1 }
    ));
    // With the kernel's I/O privilege, CLI and STI are emulated but leave the upcall mask alone.
    let mask = traps::upcall_mask().load(SeqCst);
    let cli = traps::catch(insn::cli);
    let sti = traps::catch(insn::sti);
    same!(traps::upcall_mask().load(SeqCst), mask);
    same!((cli.is_ok(), sti.is_ok()), (true, true));
    refused!(
        hypercall::op(
            PHYSDEV_OP,
            PHYSDEVOP_set_iopl,
            &mut PhysdevSetIopl { iopl: 4 }
        ),
        EINVAL
    );
    ok!(hypercall::op(
        PHYSDEV_OP,
        PHYSDEVOP_set_iopl,
        &mut PhysdevSetIopl { iopl: 0 }
    ));
    Ok(())
}
