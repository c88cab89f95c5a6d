//! A vCPU's context.

use super::{fails, op, worlds};
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::testing::{DATA_VA, TestDomain, World};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::{PAGE_SIZE, Page, PageType};
use xen_abi::Errno;
use xen_abi::arch_x86::{
    CpuUserRegs, TrapInfo, VGCF_i387_valid, VGCF_in_kernel, VGCF_online,
    VGCF_syscall_disables_events, VcpuGuestContext,
};
use xen_abi::domctl::*;
use zerocopy::{FromZeros, IntoBytes};

fn set(cx: &mut Cx, vcpu: u32, context: &VcpuGuestContext) -> HyperResult {
    cx.copy_out_bytes(GuestPtr::new(DATA_VA), context.as_bytes())
        .unwrap();
    let mut arg = DomctlVcpucontext {
        vcpu,
        ctxt: DATA_VA,
        ..Default::default()
    };
    op(cx, XEN_DOMCTL_setvcpucontext, 1, &mut arg)
}

fn get(cx: &mut Cx, vcpu: u32) -> Result<Box<VcpuGuestContext>, Fail> {
    let mut context = Box::new(VcpuGuestContext::new_zeroed());
    let mut arg = DomctlVcpucontext {
        vcpu,
        ctxt: DATA_VA,
        ..Default::default()
    };
    op(cx, XEN_DOMCTL_getvcpucontext, 1, &mut arg)?;
    cx.copy_in_bytes(GuestPtr::new(DATA_VA), context.as_mut_bytes())
        .unwrap();
    Ok(context)
}

fn reset(cx: &mut Cx, vcpu: u32) -> HyperResult {
    let mut arg = DomctlVcpucontext {
        vcpu,
        ..Default::default()
    };
    op(cx, XEN_DOMCTL_setvcpucontext, 1, &mut arg)
}

fn context(dom: &TestDomain) -> Box<VcpuGuestContext> {
    let mut context = Box::new(VcpuGuestContext::new_zeroed());
    context.flags = VGCF_in_kernel | VGCF_online | VGCF_i387_valid | VGCF_syscall_disables_events;
    context.fpu_ctxt[160] = 0x5a;
    context.fpu_ctxt[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
    context.user_regs = CpuUserRegs {
        rip: 0xffff_ffff_8100_0000,
        rsp: 0x7000,
        r15: 15,
        rsi: 3,
        cs: 0xe033,
        ss: 0xe02b,
        gs: 0xe02b,
        rflags: 0x1202,
        ..Default::default()
    };
    context.trap_ctxt[14] = TrapInfo {
        vector: 14,
        flags: 4,
        cs: 0xe033,
        address: 0xffff_ffff_8100_1000,
        ..Default::default()
    };
    for (vector, trap) in context.trap_ctxt.iter_mut().enumerate() {
        trap.vector = vector as u8;
        trap.cs |= 3;
    }
    context.kernel_ss = 0xe02b;
    context.kernel_sp = 0xffff_ffff_8200_0000;
    context.ctrlreg[0] = 8;
    context.ctrlreg[1] = dom.root.mfn().addr();
    context.ctrlreg[3] = dom.root.mfn().addr();
    context.debugreg[0] = 0x1234_5678;
    context.debugreg[6] = 0xffff_0ff0;
    context.debugreg[7] = 0x402;
    context.event_callback_eip = 0xffff_ffff_8100_2000;
    context.failsafe_callback_eip = 0xffff_ffff_8100_3000;
    context.syscall_callback_eip = 0xffff_ffff_8100_4000;
    context.vm_assist = 1 << 5;
    context.fs_base = 0x1000;
    context.gs_base_kernel = 0xffff_8880_0000_0000;
    context.gs_base_user = 0x3000;
    context
}

/// A frame of `dom`'s that its page table maps read-only at entry `at`; its address.
fn readonly(world: &World, dom: &TestDomain, at: usize) -> (Page, u64) {
    let page = world.page(1);
    dom.l1.words()[at].store(page.mfn().0 << 12 | 5, Ordering::Relaxed);
    let _ = page.another().into_entry();
    (page, DATA_VA + (at * PAGE_SIZE) as u64)
}

#[test]
fn what_is_set_is_got() {
    let (world, dom0, dom1) = worlds();
    let (ldt, ldt_base) = readonly(&world, &dom1, 100);
    let gdt = world.page(1);
    let held = dom1.root.info().count();
    let mut context = context(&dom1);
    context.gdt_frames[0] = gdt.mfn().0;
    context.gdt_ents = 512;
    context.ldt_base = ldt_base;
    context.ldt_ents = 20;
    world.on(&dom0, 0, 0, |cx| {
        assert_eq!(get(cx, 0).err(), Some(Fail::Errno(Errno::ENODATA)));
        assert_eq!(set(cx, 0, &context), Ok(0));
        let vcpu = dom1.dom.vcpu(0).unwrap();
        assert!(vcpu.sched.online());
        assert_eq!(vcpu.state.try_lock().unwrap().pv.ldt.len(), 1);
        for page in [&ldt, &gdt] {
            assert_eq!(page.info().page_type(), (PageType::SegDesc, 1));
        }
        let got = get(cx, 0).unwrap();
        // What the processor's own part of CR0 is does not matter.
        context.ctrlreg[0] = got.ctrlreg[0];
        assert_ne!(got.ctrlreg[0] & 8, 0);
        assert!(context.as_bytes() == got.as_bytes());
        // The same again is fine; in user mode too; other tables are not.
        context.flags &= !(VGCF_in_kernel | VGCF_online);
        assert_eq!(set(cx, 0, &context), Ok(0));
        assert!(!vcpu.sched.online());
        let got = get(cx, 0).unwrap();
        assert!(context.as_bytes() == got.as_bytes());
        for change in [
            |context: &mut VcpuGuestContext| context.ctrlreg[3] = 0x5000,
            |context: &mut VcpuGuestContext| context.ctrlreg[1] = 0x5000,
            |context: &mut VcpuGuestContext| context.gdt_ents = 0,
            |context: &mut VcpuGuestContext| context.ldt_ents = 0,
        ] {
            let mut other = context.clone();
            change(&mut other);
            assert_eq!(set(cx, 0, &other), fails(Errno::EOPNOTSUPP));
        }
        assert_eq!(reset(cx, 0), Ok(0));
        assert_eq!(get(cx, 0).err(), Some(Fail::Errno(Errno::ENODATA)));
        assert!(!vcpu.sched.online());
        assert_eq!(dom1.root.info().count(), held);
        assert_eq!(ldt.info().page_type().1 + gdt.info().page_type().1, 0);
        assert_eq!(set(cx, 0, &context), Ok(0));
    });
}

#[test]
fn a_context_that_is_wrong_leaves_nothing_behind() {
    let (world, dom0, dom1) = worlds();
    let held = dom1.root.info().count();
    let foreign = dom0.data[3].mfn();
    let bad = 1 << 47;
    let changes: [&dyn Fn(&mut VcpuGuestContext); 14] = [
        &|context| context.user_regs.rip = bad,
        &|context| context.fs_base = bad,
        &|context| context.gs_base_kernel = bad,
        &|context| context.event_callback_eip = bad,
        &|context| context.trap_ctxt[255].address = bad,
        &|context| context.gdt_ents = u64::MAX,
        &|context| context.ldt_ents = u64::MAX,
        &|context| (context.ldt_base, context.ldt_ents) = (8, 1),
        &|context| (context.ldt_base, context.ldt_ents) = (0xffff_8000_0000_0000, 1),
        &|context| (context.flags, context.ctrlreg[1]) = (0, 0),
        &|context| context.ctrlreg[3] = 0,
        &|context| context.ctrlreg[3] = foreign.addr(),
        &|context| context.ctrlreg[1] = u64::MAX,
        &|context| (context.gdt_frames[0], context.gdt_ents) = (foreign.0, 1),
    ];
    world.on(&dom0, 0, 0, |cx| {
        for (i, change) in changes.iter().enumerate() {
            let mut context = context(&dom1);
            change(&mut context);
            assert_eq!(set(cx, 0, &context), fails(Errno::EINVAL), "{i}");
            assert_eq!(dom1.root.info().count(), held, "{i}");
        }
        let context = context(&dom1);
        assert_eq!(set(cx, 2, &context), fails(Errno::EINVAL));
        let mut arg = DomctlVcpucontext {
            ctxt: 8,
            ..Default::default()
        };
        let result = op(cx, XEN_DOMCTL_setvcpucontext, 1, &mut arg);
        assert_eq!(result, fails(Errno::EFAULT));
        // Neither of its own.
        for cmd in [XEN_DOMCTL_setvcpucontext, XEN_DOMCTL_getvcpucontext] {
            assert_eq!(op(cx, cmd, 0, &mut arg), fails(Errno::EINVAL));
        }
    });
}

#[test]
fn registers_that_would_fault_are_mended() {
    let (world, dom0, dom1) = worlds();
    let mut context = context(&dom1);
    context.fpu_ctxt[24..28].fill(0xff);
    context.debugreg[0] = 0xffff_8000_0000_0000;
    context.debugreg[7] = u64::MAX;
    context.user_regs.rflags = u64::MAX;
    context.user_regs.cs = 0xe030;
    context.vm_assist = u64::MAX;
    world.on(&dom0, 0, 0, |cx| {
        assert_eq!(set(cx, 0, &context), Ok(0));
        let got = get(cx, 0).unwrap();
        assert_eq!(got.fpu_ctxt[24..28], [0xff, 0xff, 0, 0]);
        assert_eq!((got.debugreg[0], got.debugreg[7]), (0, 0x400));
        assert_eq!(got.user_regs.cs & 3, 3);
        assert_eq!(got.user_regs.rflags >> 12 & 3, 3);
        assert_eq!(got.vm_assist, crate::pv::traps::ASSISTS);
        let state = dom1.dom.vcpu(0).unwrap().state.try_lock().unwrap();
        assert_eq!(state.pv.regs.rflags >> 12 & 3, 0);
        assert_eq!(state.pv.fpu.bytes()[512], 3);
    });
}

/// A level 4 table with `n` level 3 tables, none of them validated.
fn tree(world: &World, n: usize) -> (Page, Vec<Page>) {
    let root = world.page(1);
    let lower: Vec<Page> = (0..n).map(|_| world.page(1)).collect();
    for (slot, page) in root.words().iter().zip(&lower) {
        slot.store(page.mfn().0 << 12 | 7, Ordering::Relaxed);
    }
    (root, lower)
}

#[test]
fn interrupted_validation_goes_on() {
    let (world, dom0, dom1) = worlds();
    let (root, lower) = tree(&world, 8);
    let (user, _users) = tree(&world, 8);
    let mut context = context(&dom1);
    context.ctrlreg[3] = root.mfn().addr();
    context.ctrlreg[1] = user.mfn().addr();
    world.on(&dom0, 0, 0, |cx| {
        let mut restarts = 0;
        loop {
            world.machine.set_patience(Some(2));
            match set(cx, 0, &context) {
                Err(Fail::Restart) => restarts += 1,
                result => break assert_eq!(result, Ok(0)),
            }
            assert!(restarts < 100);
        }
        assert!(restarts > 4, "{restarts}");
        world.machine.set_patience(None);
        for table in [&root, &user] {
            assert_eq!(table.info().page_type(), (PageType::L4, 1));
        }
        // It is given up half-way, and all goes back in the end.
        let mut rounds = 0;
        loop {
            world.machine.set_patience(Some(2));
            match reset(cx, 0) {
                Err(Fail::Restart) => rounds += 1,
                result => break assert_eq!(result, Ok(0)),
            }
            assert!(rounds < 100);
        }
        world.machine.set_patience(None);
        assert!(rounds > 1, "{rounds}");
        for table in lower.iter().chain([&root, &user]) {
            assert_eq!((table.info().page_type().1, table.info().count()), (0, 1));
        }
        // A tool that gives up after an interruption and asks for something wrong.
        world.machine.set_patience(Some(2));
        assert_eq!(set(cx, 0, &context), Err(Fail::Restart));
        world.machine.set_patience(None);
        assert_eq!(set(cx, 0, &context), Ok(0));
        assert_eq!(reset(cx, 0), Ok(0));
        for table in lower.iter().chain([&root, &user]) {
            assert_eq!((table.info().page_type().1, table.info().count()), (0, 1));
        }
    });
}
