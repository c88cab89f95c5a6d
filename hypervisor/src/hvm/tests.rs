//! Hardware-virtualised guests on the simulated machine.

use super::vlapic::reg;
use super::walk::Access;
use super::{control, deliver, exits};
use crate::cx::{Cx, Local};
use crate::domain::Domain;
use crate::fail::Fail;
use crate::guest::GuestPtr;
use crate::mem::p2m;
use crate::testing::World;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::hvm::{Event, EventKind, HvmApi, HvmCpu, HvmExit, Reg, Seg, Segment};
use machine::nested::Leaf;
use machine::regs::rflags;
use machine::{CpuApi, Gfn, Mfn};
use x86_emulate::Trap;
use xen_abi::Errno;

/// Frames of RAM from guest frame 0 on.
const RAM: u64 = 64;
/// A long-mode guest's tables.
const TABLES: u64 = 0x10_000;
/// Where its code is.
const CODE: u64 = 0x1000;

/// Calls `f` in the context of the domain's vCPU 0, loaded.
fn on<R>(world: &World, dom: &Arc<Domain>, f: impl FnOnce(&mut Cx) -> R) -> R {
    let mut cpu = world.machine.cpu(0);
    let mut local = Local::default();
    let vcpu = dom.vcpu(0).unwrap();
    let mut state = vcpu.state.try_lock().unwrap();
    dom.dirty_cpus.set(0);
    cpu.load_hvm(&mut state.hvm.as_mut().unwrap().state);
    let mut cx = Cx {
        cpu: &mut cpu,
        local: &mut local,
        hv: world.hv,
        dom,
        vcpu,
        st: &mut state,
        live: true,
    };
    let result = f(&mut cx);
    cpu.save_hvm(&mut state.hvm.as_mut().unwrap().state);
    dom.dirty_cpus.clear(0);
    result
}

fn store(world: &World, dom: &Domain, gpa: u64, bytes: &[u8]) {
    let page = dom.page(world.hv.mem, Gfn(gpa >> 12)).unwrap();
    assert!(page.write(gpa as usize & 4095, bytes));
}

/// A domain with RAM, in 64-bit code at [`CODE`] on identity tables.
fn guest(world: &World) -> Arc<Domain> {
    let dom = world.hvm_domain(0, true, 2);
    let mut cpu = world.machine.cpu(0);
    p2m::fill(world.hv, &mut cpu, &dom, 0, RAM).unwrap();
    drop(cpu);
    for (at, entry) in [
        (TABLES, TABLES + 0x1003),
        (TABLES + 0x1000, TABLES + 0x2003),
        // 2 MiB of RAM, and the APIC's page by a table of its own.
        (TABLES + 0x2000, 0x83),
        (TABLES + 0x1018, TABLES + 0x3003),
        (TABLES + 0x3000 + 0x1f7 * 8, 0xfee0_0083),
    ] {
        store(world, &dom, at, &u64::to_le_bytes(entry));
    }
    on(world, &dom, |cx| {
        let hvm = cx.st.hvm.as_mut().unwrap();
        hvm.start_flat(CODE as u32, 0);
        hvm.state.set(Reg::Cr4, control::CR4_PAE);
        hvm.state.set(Reg::Cr3, TABLES);
        assert!(hvm.set_efer(1 << 8 | 1 << 11) && hvm.set_cr0(0x8001_0011));
        hvm.state.set_segment(
            Seg::Cs,
            Segment {
                attributes: 0xa9b,
                ..Segment::default()
            },
        );
        cx.regs_mut().rip = CODE;
        cx.regs_mut().rflags = rflags::FIXED;
    });
    dom
}

fn run(cx: &mut Cx, code: &[u8], exit: HvmExit) {
    super::write(cx, CODE, code).unwrap();
    cx.regs_mut().rip = CODE;
    exits::serve(cx, exit);
}

fn event(cx: &mut Cx) -> Option<Event> {
    let event = cx.st.hvm.as_ref().unwrap().state.event();
    cx.st.hvm.as_mut().unwrap().state.set_event(None);
    event
}

const fn fault(gpa: u64, write: bool) -> HvmExit {
    HvmExit::Nested {
        gpa,
        write,
        exec: false,
        walk: false,
    }
}

#[test]
fn hypercalls_are_the_kernels_in_64_bit_code() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let mut call = |nr: u64| {
            cx.regs_mut().rax = nr;
            run(cx, &[0x0f, 0x01, 0xd9], HvmExit::Hypercall);
            assert_eq!(cx.regs().rip, CODE + 3);
            cx.regs().rax as i64
        };
        assert_eq!(call(17), 4 << 16 | 20);
        assert_eq!(call(1), Errno::ENOSYS.neg());
        assert_eq!(call(1 << 40), Errno::ENOSYS.neg());
        let hvm = cx.st.hvm.as_mut().unwrap();
        let mut ss = hvm.state.segment(Seg::Ss);
        ss.attributes |= 3 << 5;
        hvm.state.set_segment(Seg::Ss, ss);
        cx.regs_mut().rax = 17;
        exits::serve(cx, HvmExit::Hypercall);
        assert_eq!(cx.regs().rax as i64, Errno::EPERM.neg());
    });
}

#[test]
fn copies_walk_the_guests_own_tables() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let at = GuestPtr::<u64>::new(0x2ffc);
        cx.copy_out(at, &0x1122_3344_5566_7788).unwrap();
        assert_eq!(cx.copy_in(at), Ok(0x1122_3344_5566_7788));
        for bad in [0x4000_0000, 0x8000_0000_0000, u64::MAX - 3, 0xfee0_0000] {
            assert_eq!(cx.copy_in(GuestPtr::<u64>::new(bad)), Err(Errno::EFAULT));
        }
        // 2 MiB are mapped, but there is less memory.
        let beyond = GuestPtr::<u64>::new(RAM << 12);
        assert_eq!(cx.copy_in(beyond), Err(Errno::EFAULT));
        // Both accessed and dirty bits were set in the entry.
        let mut entry = [0; 8];
        super::read(cx, TABLES + 0x2000, &mut entry).unwrap();
        assert_eq!(u64::from_le_bytes(entry), 0xe3);
    });
}

#[test]
fn walks_heed_every_right() {
    let world = World::new(1);
    let dom = guest(&world);
    let entry = TABLES + 0x2000;
    let try_it = |bits: u64, cr4: u64, flags: u64, access: Access| {
        store(&world, &dom, entry, &bits.to_le_bytes());
        on(&world, &dom, |cx| {
            let hvm = cx.st.hvm.as_mut().unwrap();
            hvm.state.set(Reg::Cr4, control::CR4_PAE | cr4);
            hvm.translate(0x5123, flags, access)
        })
    };
    let access = |write, exec, user| Access { write, exec, user };
    let refused = |error| Err(Trap::page_fault(0x5123, error));
    assert_eq!(try_it(0x83, 0, 0, access(true, true, false)), Ok(0x5123));
    // The tables above are the supervisor's, so nothing is the users'.
    assert_eq!(try_it(0x87, 0, 0, access(false, false, true)), refused(5));
    assert_eq!(try_it(0x81, 0, 0, access(true, false, false)), refused(3));
    assert_eq!(try_it(0x82, 0, 0, access(true, false, false)), refused(2));
    let nx = 1 << 63 | 0x83;
    assert_eq!(try_it(nx, 0, 0, access(false, true, false)), refused(0x11));
    assert_eq!(try_it(nx, 0, 0, access(false, false, false)), Ok(0x5123));
    // The users' all the way.
    for at in [TABLES, TABLES + 0x1000] {
        let next = at + 0x1007;
        store(&world, &dom, at, &next.to_le_bytes());
    }
    let (smep, smap) = (control::CR4_SMEP, control::CR4_SMAP);
    assert_eq!(try_it(0x87, 0, 0, access(true, false, true)), Ok(0x5123));
    assert_eq!(
        try_it(0x87, smep, 0, access(false, true, false)),
        refused(0x11)
    );
    assert_eq!(
        try_it(0x87, smap, 0, access(false, false, false)),
        refused(1)
    );
    let ac = rflags::AC;
    assert_eq!(
        try_it(0x87, smap, ac, access(false, false, false)),
        Ok(0x5123)
    );
}

#[test]
fn registers_and_cpuid() {
    let world = World::new(1);
    world.machine.set_cpuid(0, 0, [0xd, 0, 0, 0]);
    world
        .machine
        .set_cpuid(1, 0, [1, 0, 1 << 5 | 1 << 26, u32::MAX]);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let mut msr = |write: bool, msr: u64, value: u64| {
            let r = cx.regs_mut();
            (r.rcx, r.rax, r.rdx) = (msr, value & 0xffff_ffff, value >> 32);
            let code = [0x0f, if write { 0x30 } else { 0x32 }];
            run(cx, &code, HvmExit::Msr { write });
            match event(cx) {
                None => {
                    assert_eq!(cx.regs().rip, CODE + 2);
                    Ok(cx.regs().rdx << 32 | cx.regs().rax)
                }
                Some(event) => Err((event.vector, event.error)),
            }
        };
        let gp = Err((13, Some(0)));
        assert_eq!(msr(false, 0x1b, 0), Ok(0xfee0_0900));
        assert_eq!(msr(false, 0xdead, 0), gp);
        assert_eq!(msr(true, 0xc000_0080, 0xd00 | 1 << 12), gp);
        assert_eq!(msr(true, 0xc000_0080, 0xd01).map(|_| ()), Ok(()));
        assert_eq!(msr(false, 0xc000_0080, 0), Ok(0xd01));
        assert_eq!(msr(true, 0xc000_0080, 0xc01), gp, "long mode ends");
        assert_eq!(msr(true, 0x277, 2), gp);
        assert_eq!(msr(true, 0x277, 0x0406).map(|_| ()), Ok(()));
        assert_eq!(msr(false, 0x802, 0), gp, "not in x2APIC mode");
        assert_eq!(msr(true, 0x4000_0000, 0x3001), gp);
        assert_eq!(msr(true, 0x4000_0000, RAM << 12), gp);
        assert_eq!(msr(true, 0x4000_0000, 0x3000).map(|_| ()), Ok(()));
        let mut stub = [0; 9];
        super::read(cx, 0x3000 + 17 * 32, &mut stub).unwrap();
        assert_eq!(stub, [0xb8, 17, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3]);

        cx.regs_mut().rax = 1;
        run(cx, &[0x0f, 0xa2], HvmExit::Cpuid);
        let c = cx.regs().rcx as u32;
        assert_eq!(
            c & (1 << 5 | 1 << 21 | 1 << 26 | 1 << 31),
            1 << 21 | 1 << 26 | 1 << 31
        );
        // A prefix before it: decoded as a whole.
        cx.regs_mut().rax = 0x4000_0000;
        run(cx, &[0x3e, 0x0f, 0xa2], HvmExit::Privileged);
        assert_eq!((cx.regs().rbx, cx.regs().rip), (0x566e_6558, CODE + 3));
    });
}

#[test]
fn control_registers_keep_to_the_rules() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let hvm = cx.st.hvm.as_mut().unwrap();
        let cr0 = hvm.state.get(Reg::Cr0);
        assert_eq!(hvm.state.get(Reg::Efer), 0xd00, "active with paging");
        assert!(
            !hvm.set_cr0(cr0 & !1) && !hvm.set_cr0(cr0 | 1 << 29) && !hvm.set_cr0(cr0 | 1 << 32)
        );
        assert!(!hvm.set_cr0(cr0 & !(1 << 31)), "from 64-bit code");
        assert!(!hvm.set_cr4(0, 0x7ff) && !hvm.set_cr4(1 << 13 | 0x20, 0x7ff));
        assert!(hvm.set_cr4(0xa0, 0x7ff));
        // mov cr0, rax through the emulator.
        cx.regs_mut().rax = cr0 | 8;
        run(cx, &[0x0f, 0x22, 0xc0], HvmExit::Privileged);
        let hvm = cx.st.hvm.as_ref().unwrap();
        assert_eq!(hvm.state.get(Reg::Cr0), cr0 | 8);
    });
}

#[test]
fn the_apics_page_is_emulated_and_holes_read_as_ones() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let apic = 0xfee0_0000;
        cx.regs_mut().rsi = apic;
        run(cx, &[0x8b, 0x46, 0x30], fault(apic + 0x30, false)); // mov eax, [rsi + 0x30]
        assert_eq!(cx.regs().rax, 5 << 16 | 0x14);
        cx.regs_mut().rax = 0x1ff;
        let code = [0x89, 0x86, 0xf0, 0, 0, 0]; // mov [rsi + 0xf0], eax
        run(cx, &code, fault(apic + 0xf0, true));
        assert_eq!(cx.regs().rip, CODE + 6);
        let hvm = cx.st.hvm.as_mut().unwrap();
        assert!(hvm.lapic.is_on());
        // A hole in RAM.
        let hole = p2m::set(cx.hv, cx.cpu, cx.dom, Gfn(40), Leaf::None);
        assert!(hole.unwrap().is_some());
        // The simulated machine's loader knows of no RAM, so the hole is taken for a device's.
        world.machine.set_strict(false);
        cx.regs_mut().rsi = 40 << 12;
        run(cx, &[0x48, 0x8b, 0x06], fault(40 << 12, false));
        assert!(cx.regs().rip == CODE || cx.regs().rax == u64::MAX);
    });
}

#[test]
fn interrupts_wait_until_the_guest_can_take_them() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let now = cx.cpu.now();
        let hvm = cx.st.hvm.as_mut().unwrap();
        let _ = hvm.lapic.write(reg::SVR, 0x1ff, now);
        cx.vcpu.posted.vector(0x61);
        cx.vcpu.posted.vector(0x71);
        deliver::deliver(cx);
        assert_eq!(event(cx), None, "interrupts are off");
        assert!(cx.st.hvm.as_ref().unwrap().state.window());
        cx.regs_mut().rflags |= rflags::IF;
        deliver::deliver(cx);
        assert_eq!(event(cx), Some(Event::interrupt(0x71)));
        deliver::deliver(cx);
        assert_eq!(event(cx), None, "a higher one is in service");
        let hvm = cx.st.hvm.as_mut().unwrap();
        let _ = hvm.lapic.write(reg::EOI, 0, now);
        hvm.look = true;
        // Another event goes first.
        hvm.state.set_event(Some(Event::exception(6, None)));
        deliver::deliver(cx);
        assert_eq!(event(cx), Some(Event::exception(6, None)));
        exits::serve(cx, HvmExit::Window);
        deliver::deliver(cx);
        assert_eq!(event(cx), Some(Event::interrupt(0x61)));
        // An NMI needs no flag.
        cx.regs_mut().rflags &= !rflags::IF;
        cx.vcpu.nmi_pending.store(true, Ordering::Relaxed);
        deliver::deliver(cx);
        assert_eq!(event(cx).map(|e| e.kind), Some(EventKind::Nmi));
    });
}

#[test]
fn upcalls_come_by_the_callback_vector_as_long_as_the_flag_stands() {
    use xen_abi::hvm::*;
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let at = xen_abi::shared_info::VCPU_INFO_UPCALL_PENDING;
        let flag = cx.vcpu.info().and_then(|info| info.byte(at)).unwrap();
        flag.store(1, Ordering::SeqCst);
        cx.regs_mut().rflags |= rflags::IF;
        deliver::deliver(cx);
        assert_eq!(event(cx), None, "no vector yet");
        let mut param = HvmParam {
            domid: 0,
            index: HVM_PARAM_CALLBACK_IRQ,
            value: HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 0xf3,
            ..Default::default()
        };
        let at = GuestPtr::new(0x2000);
        let set = |cx: &mut Cx, param: &HvmParam| {
            cx.copy_out(at, param).unwrap();
            super::op::call(cx, [HVMOP_set_param.into(), at.addr()])
        };
        assert_eq!(set(cx, &param), Ok(0));
        for _ in 0..2 {
            deliver::deliver(cx);
            assert_eq!(event(cx), Some(Event::interrupt(0xf3)));
        }
        param.value = HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 8;
        assert_eq!(set(cx, &param), Err(Fail::Errno(Errno::EINVAL)));
        param.index = HVM_NR_PARAMS;
        assert_eq!(set(cx, &param), Err(Fail::Errno(Errno::EINVAL)));
    });
}

#[test]
fn upcalls_come_once_each_by_the_vcpus_own_vector() {
    use xen_abi::hvm::{HVMOP_set_evtchn_upcall_vector, HvmEvtchnUpcallVector};
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let set = |cx: &mut Cx, vector: u8| {
            let wish = HvmEvtchnUpcallVector {
                vector,
                ..Default::default()
            };
            cx.copy_out(GuestPtr::new(0x2000), &wish).unwrap();
            super::op::call(cx, [HVMOP_set_evtchn_upcall_vector.into(), 0x2000])
        };
        assert_eq!(set(cx, 15), Err(Fail::Errno(Errno::EINVAL)));
        assert_eq!(set(cx, 0x83), Ok(0));
        let now = cx.cpu.now();
        let _ = cx
            .st
            .hvm
            .as_mut()
            .unwrap()
            .lapic
            .write(reg::SVR, 0x1ff, now);
        cx.regs_mut().rflags |= rflags::IF;
        let at = xen_abi::shared_info::VCPU_INFO_UPCALL_PENDING;
        for _ in 0..2 {
            let flag = cx.vcpu.info().and_then(|info| info.byte(at)).unwrap();
            flag.store(1, Ordering::SeqCst);
            deliver::deliver(cx);
            assert_eq!(event(cx), Some(Event::interrupt(0x83)));
            deliver::deliver(cx);
            assert_eq!(event(cx), None, "in service");
            let flag = cx.vcpu.info().and_then(|info| info.byte(at)).unwrap();
            flag.store(0, Ordering::SeqCst);
            let hvm = cx.st.hvm.as_mut().unwrap();
            let _ = hvm.lapic.write(reg::EOI, 0, now);
            deliver::deliver(cx);
            assert_eq!(event(cx), None, "the flag is down");
        }
    });
}

#[test]
fn a_guest_sets_the_first_state_of_its_vcpus() {
    use xen_abi::hvm::{VCPU_HVM_MODE_64B, VcpuHvmContext, VcpuHvmX8664};
    use xen_abi::vcpu::{VCPUOP_initialise, VCPUOP_up};
    use zerocopy::IntoBytes;
    let world = World::new(2);
    let dom = guest(&world);
    let good = VcpuHvmX8664 {
        rip: 0x1234,
        rsp: 0x8000,
        rflags: 2,
        cr0: 0x8001_0033,
        cr3: TABLES,
        cr4: 0x20,
        efer: 0xd01,
        ..Default::default()
    };
    on(&world, &dom, |cx| {
        let set = |cx: &mut Cx, regs: &VcpuHvmX8664, mode: u32| {
            let mut context = VcpuHvmContext {
                mode,
                ..Default::default()
            };
            let words = context.cpu_regs.as_mut_bytes();
            words[..size_of::<VcpuHvmX8664>()].copy_from_slice(regs.as_bytes());
            cx.copy_out(GuestPtr::new(0x2000), &context).unwrap();
            crate::time::vcpu_op(cx, [VCPUOP_initialise.into(), 1, 0x2000])
        };
        let up = [VCPUOP_up.into(), 1, 0];
        let refused = Err(Fail::Errno(Errno::EINVAL));
        assert_eq!(crate::time::vcpu_op(cx, up), refused);
        for bad in [
            VcpuHvmX8664 {
                rip: 1 << 63,
                ..good
            },
            VcpuHvmX8664 { cr0: 0x33, ..good },
            VcpuHvmX8664 { cr4: 0, ..good },
            VcpuHvmX8664 {
                cr4: 0x20 | 1 << 13,
                ..good
            },
            VcpuHvmX8664 {
                efer: 0x801,
                ..good
            },
            VcpuHvmX8664 {
                efer: 0x1d01,
                ..good
            },
            VcpuHvmX8664 {
                rflags: 1 << 17,
                ..good
            },
        ] {
            assert_eq!(set(cx, &bad, VCPU_HVM_MODE_64B), refused, "{bad:x?}");
        }
        assert_eq!(set(cx, &good, 7), refused);
        assert_eq!(set(cx, &good, VCPU_HVM_MODE_64B), Ok(0));
        let again = set(cx, &good, VCPU_HVM_MODE_64B);
        assert_eq!(again, Err(Fail::Errno(Errno::EEXIST)));
        assert_eq!(crate::time::vcpu_op(cx, up), Ok(0));
        let state = cx.dom.vcpu(1).unwrap().state.try_lock().unwrap();
        let hvm = state.hvm.as_ref().unwrap();
        assert!(hvm.is_64bit() && hvm.state.regs.rip == 0x1234);
    });
}

#[test]
fn init_and_sipi_start_a_vcpu_in_real_mode() {
    let world = World::new(2);
    let dom = guest(&world);
    let other = dom.vcpu(1).unwrap().clone();
    let ipi = |cx: &mut Cx, high: u32, low: u32| {
        let apic = 0xfee0_0000;
        super::mmio::write(cx, apic + 0x310, 4, high.into());
        super::mmio::write(cx, apic + 0x300, 4, low.into());
    };
    on(&world, &dom, |cx| {
        let now = cx.cpu.now();
        let _ = cx
            .st
            .hvm
            .as_mut()
            .unwrap()
            .lapic
            .write(reg::SVR, 0x1ff, now);
        ipi(cx, 2 << 24, 0x4608);
        assert!(!other.sched.online(), "a start without INIT");
        ipi(cx, 2 << 24, 0x4500);
        ipi(cx, 2 << 24, 0x4608);
        assert!(other.sched.online());
        let state = other.state.try_lock().unwrap();
        let hvm = state.hvm.as_ref().unwrap();
        let cs = hvm.state.segment(Seg::Cs);
        assert_eq!(
            (cs.selector, cs.base, hvm.state.regs.rip),
            (0x800, 0x8000, 0)
        );
        assert_eq!(hvm.state.get(Reg::Cr0) & 1, 0);
        drop(state);
        // To itself: nothing.
        ipi(cx, 0, 0x4500);
        assert!(cx.live);
        // Logically, once the other has an address.
        ipi(cx, 4 << 24, 0x4850);
        assert!(!other.posted.any());
        let mut lapic = super::vlapic::Vlapic::new(2, false);
        let _ = lapic.write(reg::LDR, 4 << 24, 0);
        other.posted.publish(lapic.address());
        ipi(cx, 4 << 24, 0x4850);
        assert!(other.posted.any());
        // HLT without interrupts ends this vCPU's life.
        run(cx, &[0xf4], HvmExit::Halt);
        assert!(!cx.live && !cx.vcpu.sched.online() && other.sched.online());
    });
}

#[test]
fn exceptions_that_meet_make_double_and_triple_faults() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let mut both = |first: u8, second: u8| {
            let event = Event::exception(first, Some(0));
            cx.st.hvm.as_mut().unwrap().state.set_event(Some(event));
            let goes_on = super::inject::exception(cx, second, Some(0));
            (goes_on, event_vector(cx))
        };
        assert_eq!(both(13, 14), (true, 14));
        assert_eq!(both(14, 14), (true, 8));
        assert_eq!(both(13, 11), (true, 8));
        assert_eq!(both(1, 13), (true, 13));
        assert!(!both(8, 13).0);
    });
}

fn event_vector(cx: &mut Cx) -> u8 {
    event(cx).map_or(0, |event| event.vector)
}

#[test]
fn frames_come_and_go_with_their_places() {
    let world = World::new(1);
    let dom = guest(&world);
    let free = world.free_frames();
    on(&world, &dom, |cx| {
        let dom = cx.dom.clone();
        let first = dom.page(cx.hv.mem, Gfn(50)).unwrap().mfn();
        assert!(p2m::depopulate(cx, &dom, 50, 0).is_some());
        assert!(p2m::depopulate(cx, &dom, 50, 0).is_none());
        assert!(p2m::populate(cx, &dom, 51, 0, u64::MAX).is_none(), "taken");
        let _ = first;
    });
    assert_eq!(world.free_frames(), free + 1);
    on(&world, &dom, |cx| {
        let dom = cx.dom.clone();
        assert!(p2m::populate(cx, &dom, 50, 0, u64::MAX).is_some());
    });
    assert_eq!(world.free_frames(), free);
    assert_eq!(dom.pages.total(), RAM);
}

#[test]
fn a_dying_domain_gives_its_map_back_in_pieces() {
    let world = World::new(1);
    let dom = guest(&world);
    let held = dom.page(world.hv.mem, Gfn(3)).unwrap();
    assert_eq!(held.info().count(), 3, "the allocation, the map, this");
    world.machine.set_patience(Some(5));
    let mut rounds = 0;
    loop {
        let cpu = world.machine.cpu(0);
        match p2m::relinquish(&cpu, &dom) {
            Ok(()) => break,
            Err(Fail::Restart) => rounds += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(rounds > 5, "{rounds}");
    assert_eq!(held.info().count(), 2);
    assert!(dom.page(world.hv.mem, Gfn(3)).is_none());
}

#[test]
fn a_taken_frame_is_no_longer_reached() {
    use machine::arch::sim::GuestOp;
    let world = World::new(1);
    let dom = guest(&world);
    let mfn = dom.page(world.hv.mem, Gfn(50)).unwrap().mfn();
    let write = GuestOp::Write {
        va: 50 << 12,
        size: 8,
        value: 1,
    };
    on(&world, &dom, |cx| {
        cx.cpu.script([write]);
        let exit = cx.cpu.enter_hvm(&mut cx.st.hvm.as_mut().unwrap().state);
        assert!(matches!(exit, HvmExit::Interrupt(_)));
        let dom = cx.dom.clone();
        assert!(p2m::depopulate(cx, &dom, 50, 0).is_some());
        cx.cpu.script([write]);
        let exit = cx.cpu.enter_hvm(&mut cx.st.hvm.as_mut().unwrap().state);
        assert_eq!(exit, fault(50 << 12, true));
    });
    world.hv.reap();
    assert_eq!(world.hv.mem.frame(Mfn(mfn.0)).unwrap().count(), 0);
}

#[test]
fn a_halted_vcpu_wakes_for_its_timer() {
    use machine::arch::sim::GuestOp;
    let world = World::new(1);
    let dom = guest(&world);
    let vcpu = dom.vcpu(0).unwrap().clone();
    {
        let mut cpu = world.machine.cpu(0);
        world.hv.sched.set_online(&cpu, &dom, &vcpu, true);
        let mut local = Local::default();
        let mut state = vcpu.state.lock();
        let hvm = state.hvm.as_mut().unwrap();
        let now = cpu.now();
        let _ = hvm.lapic.write(reg::SVR, 0x1ff, now);
        let _ = hvm.lapic.write(reg::LVT_TIMER, 0x61, now);
        let _ = hvm.lapic.write(reg::TIMER_INITIAL, 10_000, now);
        super::mmio::arm_timer(world.hv, &mut cpu, &vcpu, &hvm.lapic);
        hvm.state.regs.rflags |= rflags::IF;
        drop(state);
        cpu.script([GuestOp::Halt, GuestOp::Halt]);
        for _ in 0..8 {
            crate::run::step(&mut cpu, &mut local, world.hv);
        }
        assert_eq!(cpu.script_left(), 0);
    }
    let mut state = vcpu.state.lock();
    let events = state.hvm.as_mut().unwrap().state.take_events();
    assert_eq!(events, [Event::interrupt(0x61)]);
}
