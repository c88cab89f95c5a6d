//! Interrupts, upcalls, exceptions, and the starting of vCPUs.

use super::*;

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
            crate::hvm::op::call(cx, [HVMOP_set_param.into(), at.addr()])
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
            crate::hvm::op::call(cx, [HVMOP_set_evtchn_upcall_vector.into(), 0x2000])
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
        crate::hvm::mmio::write(cx, apic + 0x310, 4, high.into());
        crate::hvm::mmio::write(cx, apic + 0x300, 4, low.into());
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
        let mut lapic = crate::hvm::vlapic::Vlapic::new(2, false);
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
            let goes_on = crate::hvm::inject::exception(cx, second, Some(0));
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
fn a_halted_vcpu_wakes_for_its_timer() {
    use machine::arch::sim::GuestOp;
    let world = World::new(1);
    let dom = guest(&world);
    let vcpu = dom.vcpu(0).unwrap().clone();
    {
        let mut cpu = world.machine.cpu(0);
        world.hv.sched.set_online(&cpu, &dom, &vcpu, true);
        let mut state = vcpu.state.lock();
        let hvm = state.hvm.as_mut().unwrap();
        let now = cpu.now();
        let _ = hvm.lapic.write(reg::SVR, 0x1ff, now);
        let _ = hvm.lapic.write(reg::LVT_TIMER, 0x61, now);
        let _ = hvm.lapic.write(reg::TIMER_INITIAL, 10_000, now);
        crate::hvm::mmio::arm_timer(world.hv, &mut cpu, &vcpu, &hvm.lapic);
        hvm.state.regs.rflags |= rflags::IF;
        drop(state);
        cpu.script([GuestOp::Halt, GuestOp::Halt]);
        for _ in 0..8 {
            crate::run::step(&mut cpu, world.hv);
        }
        assert_eq!(cpu.script_left(), 0);
    }
    let mut state = vcpu.state.lock();
    let events = state.hvm.as_mut().unwrap().state.take_events();
    assert_eq!(events, [Event::interrupt(0x61)]);
}
