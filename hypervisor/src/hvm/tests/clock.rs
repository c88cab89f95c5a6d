//! The time stamp counter of a virtual machine, and the record that goes with it.

use super::*;
use xen_abi::arch_x86::cpufeatureset::XEN_X86_FEATURE_RDTSCP;
use xen_abi::domctl::{Domctl, DomctlTscInfo, XEN_DOMCTL_INTERFACE_VERSION, XEN_DOMCTL_settscinfo};
use xen_abi::forms::Payload;
use xen_abi::shared_info::{VCPU_INFO_TIME, VcpuTimeInfo};
use zerocopy::{FromZeros, IntoBytes};

const TSC: u64 = 0x10;

fn msr(cx: &mut Cx, write: bool, value: u64) -> u64 {
    let r = cx.regs_mut();
    (r.rcx, r.rax, r.rdx) = (TSC, value & 0xffff_ffff, value >> 32);
    let code = [0x0f, if write { 0x30 } else { 0x32 }];
    run(cx, &code, HvmExit::Msr { write });
    assert_eq!(event(cx), None);
    cx.regs().rdx << 32 | cx.regs().rax
}

/// System time as the guest makes it of the counter and its record.
fn system_time(cx: &mut Cx) -> u64 {
    let tsc = msr(cx, false, 0);
    let mut record = VcpuTimeInfo::new_zeroed();
    let info = cx.vcpu.info().unwrap();
    assert!(info.read(VCPU_INFO_TIME, record.as_mut_bytes()));
    assert!(record.version != 0 && record.version & 1 == 0);
    let ticks = u128::from(tsc.wrapping_sub(record.tsc_timestamp));
    let ticks = match record.tsc_shift {
        0.. => ticks << record.tsc_shift,
        _ => ticks >> -record.tsc_shift,
    };
    let ns = (ticks * u128::from(record.tsc_to_system_mul)) >> 32;
    record.system_time.wrapping_add(ns as u64)
}

#[test]
fn a_counter_that_was_set_keeps_the_guests_clock() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        crate::time::enter(cx);
        let near = |cx: &mut Cx| {
            let (now, seen) = (cx.cpu.now(), system_time(cx));
            assert!(seen.abs_diff(now) < 1_000_000, "{seen} at {now}");
        };
        near(cx);
        for value in [0, 1 << 40, u64::MAX - 5] {
            msr(cx, true, value);
            let read = msr(cx, false, 0);
            assert!(read.wrapping_sub(value) < 1 << 30, "{read:#x}");
            near(cx);
        }
        // Another vCPU starts with the counter of the one that starts it.
        let other = dom.vcpu(1).unwrap();
        crate::hvm::start::init(cx, other);
        crate::hvm::start::startup(cx, other, 1);
        assert!(other.sched.online());
        let offset = crate::time::tsc_offset(cx.vcpu);
        assert_eq!(crate::time::tsc_offset(other), offset);
    });
}

#[test]
fn an_emulated_counter_is_an_exit_and_not_the_guests_to_set() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let dom = world.hvm_guest(1, false, 1);
    let mut op = Domctl {
        cmd: XEN_DOMCTL_settscinfo,
        interface_version: XEN_DOMCTL_INTERFACE_VERSION,
        domain: 1,
        ..Default::default()
    };
    op.set_arm(&DomctlTscInfo {
        tsc_mode: 1,
        gtsc_khz: 123_456,
        elapsed_nsec: 1_000_000_000,
        ..Default::default()
    });
    let set = world.on(&control, 0, 0, |cx| {
        crate::testing::call(cx, &mut op, |cx, at| crate::control::domctl::call(cx, [at]))
    });
    assert_eq!(set, Ok(0));
    world.on_hvm(&dom, 0, 0, |cx| {
        crate::time::enter(cx);
        assert!(cx.st.hvm.as_ref().unwrap().state.tsc_traps());
        let before = crate::hvm::msr::read(cx, TSC as u32).unwrap();
        assert!(before >= 123_456_000);
        assert!(crate::hvm::msr::write(cx, TSC as u32, 0));
        assert!(crate::hvm::msr::read(cx, TSC as u32).unwrap() >= before);
    });
}

#[test]
fn the_timer_waits_for_the_counter() {
    const DEADLINE: u32 = 0x6e0;
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        crate::time::enter(cx);
        let now = cx.cpu.now();
        let lapic = |cx: &mut Cx, register, value| {
            let hvm = cx.st.hvm.as_mut().unwrap();
            let _ = hvm.lapic.write(register, value, now);
        };
        lapic(cx, reg::SVR, 0x1ff);
        lapic(cx, reg::LVT_TIMER, 0x4_0063);
        let due = |cx: &mut Cx| {
            deliver::deliver(cx);
            cx.st.hvm.as_ref().unwrap().lapic.deadline()
        };
        let (_, _, khz) = cx.cpu.tsc_scale();
        let second = khz * 1000;
        let far = |cx: &mut Cx, from: u64| {
            let (now, due) = (cx.cpu.now(), due(cx).unwrap());
            assert!(
                due.abs_diff(now + 1_000_000_000) < 10_000_000,
                "{due} at {now}, {from}"
            );
        };
        let start = msr(cx, false, 0);
        assert!(crate::hvm::msr::write(cx, DEADLINE, start + second));
        far(cx, start);
        assert_eq!(crate::hvm::msr::read(cx, DEADLINE), Some(start + second));
        // The counter goes back: the deadline is that of the counter.
        msr(cx, true, 7);
        assert!(crate::hvm::msr::write(cx, DEADLINE, 7 + second));
        msr(cx, true, 1 << 40);
        assert_eq!(cx.st.hvm.as_ref().unwrap().lapic.deadline(), None);
        // It is past, and fires at once.
        assert_eq!(due(cx), None);
        assert_eq!(crate::hvm::msr::read(cx, DEADLINE), Some(0));
        let hvm = cx.st.hvm.as_ref().unwrap();
        assert_eq!(hvm.lapic.pending(), Some(0x63));
        // One beyond all time is no overflow.
        assert!(crate::hvm::msr::write(cx, DEADLINE, u64::MAX));
        assert!(due(cx).is_some_and(|due| due < crate::time::NEVER));
        assert!(crate::hvm::msr::write(cx, DEADLINE, 0));
        assert_eq!(due(cx), None);
    });
}

#[test]
fn the_register_beside_the_counter_is_there_with_rdtscp() {
    const AUX: u32 = 0xc000_0103;
    for there in [false, true] {
        let world = World::new(1);
        let dom = guest(&world);
        let mut policy = (*dom.chosen_cpu_policy(world.hv)).clone();
        let mut features = policy.features();
        features.set(XEN_X86_FEATURE_RDTSCP, there);
        policy.set_features(&features);
        assert!(dom.choose_cpu_policy(Arc::new(policy)));
        on(&world, &dom, |cx| {
            let write = |cx: &mut Cx, value| crate::hvm::msr::write(cx, AUX, value);
            assert_eq!(write(cx, 0x8765_4321), there);
            let read = crate::hvm::msr::read(cx, AUX);
            assert_eq!(read, there.then_some(0x8765_4321));
            assert!(!write(cx, 1 << 32));
            // Emulated: where the counter is, and where the processor does not serve it.
            run(cx, &[0x0f, 0x01, 0xf9], HvmExit::Privileged);
            let undefined = event(cx).map(|event| event.vector);
            assert_eq!(undefined, (!there).then_some(6));
            if there {
                assert_eq!(cx.regs().rcx, 0x8765_4321);
            }
        });
    }
}
