//! What a 32-bit kernel shares with the hypervisor, and the 32-bit vCPUs that it starts.

use super::narrow::{ARGS, call32, narrow, read32, with};
use super::*;
use core::sync::atomic::Ordering::SeqCst;
use xen_abi::compat::{Layout, SharedOffsets, Width};
use xen_abi::event_channel::*;
use xen_abi::hvm::*;
use xen_abi::hypercall as nr;
use xen_abi::vcpu::*;
use xen_abi::xen::{DOMID_SELF, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag};
use zerocopy::IntoBytes;

fn word(dom: &Domain, at: usize) -> u32 {
    dom.shared_info.u32_at(at).unwrap().load(SeqCst)
}

/// Sets the callback by which the guest has its events.
fn set_callback(cx: &mut Cx) -> i32 {
    let mut wish = HvmParam {
        domid: DOMID_SELF,
        index: HVM_PARAM_CALLBACK_IRQ,
        value: HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 0x83,
        ..Default::default()
    };
    with(cx, nr::HVM_OP, HVMOP_set_param, &mut wish)
}

#[test]
fn the_width_is_that_of_who_sets_the_callback_or_the_calls_page() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        assert_eq!(cx.dom.width(), Width::W64);
        let wide = cx.st.hvm.as_ref().unwrap().state.segment(Seg::Cs);
        narrow(cx);
        assert_eq!(cx.dom.width(), Width::W64, "it has said nothing yet");
        assert_eq!(set_callback(cx), 0);
        assert_eq!(cx.dom.width(), Width::W32);
        // The wall clock is where it looks.
        let at = SharedOffsets::of(Width::W32);
        let version = word(cx.dom, at.wc_version);
        assert!(version != 0 && version & 1 == 0);
        let hvm = cx.st.hvm.as_mut().unwrap();
        hvm.state.set_segment(Seg::Cs, wide);
        assert!(crate::hvm::msr::write(
            cx,
            crate::hvm::msr::HYPERCALL_PAGE,
            0x3000
        ));
        assert_eq!(cx.dom.width(), Width::W64);
    });
}

#[test]
fn events_have_words_of_32_bits() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        assert_eq!(set_callback(cx), 0);
        let at = SharedOffsets::of(Width::W32);
        let mut last = 0;
        let mut got = 0;
        loop {
            let mut bind = EvtchnBindIpi::default();
            match with(cx, nr::EVENT_CHANNEL_OP, EVTCHNOP_bind_ipi, &mut bind) {
                0 => (last, got) = (bind.port, got + 1),
                errno => {
                    assert_eq!(errno, Errno::ENOSPC.neg() as i32);
                    break;
                }
            }
        }
        assert_eq!((last, got), (1023, 1023));
        let send = |cx: &mut Cx, port: u32| {
            let mut op = EvtchnSend { port };
            assert_eq!(with(cx, nr::EVENT_CHANNEL_OP, EVTCHNOP_send, &mut op), 0);
        };
        let flag = |cx: &mut Cx| {
            let flag = cx.vcpu.info().unwrap().byte(0).unwrap();
            flag.swap(0, SeqCst)
        };
        send(cx, 1023);
        assert_eq!(word(cx.dom, at.pending + 31 * 4), 1 << 31);
        assert_eq!(word(cx.dom, at.pending_sel), 1 << 31);
        assert_eq!(flag(cx), 1);
        // A mask of the 64-bit form's is a pending bit's place at most.
        let mask = cx.dom.shared_info.u32_at(at.mask + 4).unwrap();
        mask.store(1 << 3, SeqCst);
        send(cx, 35);
        assert_eq!(word(cx.dom, at.pending + 4), 1 << 3);
        assert_eq!((word(cx.dom, at.pending_sel), flag(cx)), (1 << 31, 0));
        let mut unmask = EvtchnUnmask { port: 35 };
        assert_eq!(
            with(cx, nr::EVENT_CHANNEL_OP, EVTCHNOP_unmask, &mut unmask),
            0
        );
        assert_eq!(word(cx.dom, at.mask + 4), 0);
        assert_eq!(
            (word(cx.dom, at.pending_sel), flag(cx)),
            (1 << 31 | 1 << 1, 1)
        );
    });
}

#[test]
fn run_states_are_packed() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        let op = |cx: &mut Cx, cmd: u32| call32(cx, nr::VCPU_OP, [cmd, 0, ARGS as u32]);
        crate::hvm::write(cx, ARGS, &[0x77; 64]).unwrap();
        assert_eq!(op(cx, VCPUOP_get_runstate_info), 0);
        let info = VcpuRunstateInfo::widen(read32(cx, ARGS));
        // The vCPU was put on its CPU by hand.
        assert_eq!(info.state, RUNSTATE_offline);
        assert!(info.state_entry_time < 1 << 56);
        assert_eq!(read32::<u32>(cx, ARGS + 44), 0x7777_7777);
        let area = |cx: &mut Cx, cmd: u32, addr: u64| {
            let mut wish = VcpuRegisterRunstateMemoryArea { addr };
            crate::hvm::write(cx, ARGS, wish.as_mut_bytes()).unwrap();
            op(cx, cmd)
        };
        let by_va = VCPUOP_register_runstate_memory_area;
        let by_frame = VCPUOP_register_runstate_phys_area;
        let place = 0x6ffc - 40;
        // Half of the field is the pointer.
        crate::hvm::write(cx, place, &[0x77; 8]).unwrap();
        assert_eq!(area(cx, by_va, 0xffff_ffff_0000_0000 | place), 0);
        assert_eq!(read32::<i32>(cx, place), RUNSTATE_offline);
        assert_eq!(area(cx, by_va, 1 << 32), 0);
        // The form is that of the kernel, which has said nothing yet.
        assert_eq!(area(cx, by_frame, place), Errno::ENXIO.neg() as i32);
        assert_eq!(set_callback(cx), 0);
        for bad in [place + 4, place - 2] {
            assert_eq!(area(cx, by_frame, bad), Errno::ENXIO.neg() as i32);
        }
        for flagged in [false, true] {
            for register in [by_va, by_frame] {
                crate::hvm::write(cx, place, &[0x77; 48]).unwrap();
                assert_eq!(area(cx, register, place), 0);
                crate::time::enter(cx);
                let shown = VcpuRunstateInfo::widen(read32(cx, place));
                assert_eq!(shown.state, RUNSTATE_offline, "{flagged} {register}");
                assert!(shown.state_entry_time < 1 << 56 && shown.time[3] < 1 << 56);
                assert_eq!(read32::<u32>(cx, place + 44), 0x7777_7777);
                let none = if register == by_va { 0 } else { u64::MAX };
                assert_eq!(area(cx, register, none), 0);
            }
            let args = [VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag, 0];
            assert_eq!(call32(cx, nr::VM_ASSIST, args), 0);
        }
        let timer = VcpuSetSingleshotTimer::default();
        crate::hvm::write(cx, 0x6ff4, timer.narrow().as_bytes()).unwrap();
        let args = [VCPUOP_set_singleshot_timer, 0, 0x6ff4];
        assert_eq!(call32(cx, nr::VCPU_OP, args), 0);
    });
}

/// A state in flat segments without paging.
fn flat_state() -> VcpuHvmX8632 {
    VcpuHvmX8632 {
        eip: 0x1234,
        esp: 0x8000,
        ebx: 5,
        eflags: 2,
        cr0: 0x11,
        cs_limit: u32::MAX,
        ds_limit: u32::MAX,
        ss_limit: u32::MAX,
        es_limit: u32::MAX,
        tr_limit: 0x67,
        cs_ar: 0xc9a,
        ds_ar: 0xc92,
        ss_ar: 0xc92,
        es_ar: 0xc92,
        tr_ar: 0x8b,
        ..Default::default()
    }
}

#[test]
fn a_vcpu_begins_in_32_bit_code() {
    let world = World::new(2);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        let set = |cx: &mut Cx, regs: &VcpuHvmX8632| {
            let mut context = VcpuHvmContext {
                mode: VCPU_HVM_MODE_32B,
                ..Default::default()
            };
            let words = context.cpu_regs.as_mut_bytes();
            words[..size_of::<VcpuHvmX8632>()].copy_from_slice(regs.as_bytes());
            crate::hvm::write(cx, ARGS, context.as_bytes()).unwrap();
            call32(cx, nr::VCPU_OP, [VCPUOP_initialise, 1, ARGS as u32])
        };
        let good = flat_state();
        for (n, change) in [
            (|s: &mut VcpuHvmX8632| s.pad1 = 1) as fn(&mut VcpuHvmX8632),
            |s| s.pad2[1] = 1,
            |s| s.cs_ar = 0xc92,
            |s| s.cs_ar = 0,
            |s| s.cs_ar = 0xc1a,
            |s| s.cs_ar |= 1 << 12,
            |s| s.ss_ar = 0xc90,
            |s| s.ss_ar = 0xc9a,
            |s| s.ss_ar = 0,
            |s| s.ss_ar |= 3 << 5,
            |s| s.ds_ar = 0xc98,
            |s| s.ds_ar |= 3 << 5,
            |s| s.es_ar = 0x82,
            |s| s.tr_ar = 0x83,
            |s| s.tr_ar = 0x9b,
            |s| (s.cs_ar, s.cs_limit) = (0x49a, 0x1233),
            |s| s.efer = 1 << 10,
            |s| s.efer = 1 << 12,
            |s| s.cr0 = 0x8000_0010,
            |s| s.cr4 = 1 << 13,
            |s| s.eflags = 1 << 17,
            |s| (s.cr0, s.cr4, s.efer, s.cs_ar) = (0x8000_0011, 0x20, 0x100, 0xe9a),
        ]
        .into_iter()
        .enumerate()
        {
            let mut state = good;
            change(&mut state);
            assert_eq!(set(cx, &state), Errno::EINVAL.neg() as i32, "{n}");
        }
        // Data has no segments, and code ends with the first instruction.
        let mut state = good;
        (state.ds_ar, state.es_ar) = (0, 0);
        (state.cs_ar, state.cs_limit) = (0x49a, 0x1234);
        (state.cr0, state.cr4, state.cr3) = (0x8000_0011, 0x20, 0x18_020);
        assert_eq!(set(cx, &state), 0);
        assert_eq!(set(cx, &state), Errno::EEXIST.neg() as i32);
        assert_eq!(call32(cx, nr::VCPU_OP, [VCPUOP_up, 1, 0]), 0);
        let state = cx.dom.vcpu(1).unwrap().state.try_lock().unwrap();
        let hvm = state.hvm.as_ref().unwrap();
        let regs = &hvm.state.regs;
        assert_eq!((regs.rip, regs.rsp, regs.rbx), (0x1234, 0x8000, 5));
        assert_eq!(hvm.state.get(Reg::Cr3), 0x18_020);
        let (code, data) = (hvm.state.segment(Seg::Cs), hvm.state.segment(Seg::Ds));
        assert_eq!((code.attributes, code.limit), (0x49b, 0x1234));
        assert_eq!(data.attributes, 0);
        assert!(!hvm.is_64bit() && hvm.may_call());
    });
}
