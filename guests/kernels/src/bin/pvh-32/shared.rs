//! What is shared with the hypervisor: in the form of who set the callback last.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::hypercall::HyperResult;
use guest_rt::mem::{self, Page};
use guest_rt::pvh::narrow::{self, call, low, op};
use guest_rt::smp::Lock;
use guest_rt::{check, hypercall, ok, pvh, refused, same};
use xen_abi::Errno;
use xen_abi::compat::{SharedOffsets, Width};
use xen_abi::event_channel::*;
use xen_abi::hvm::*;
use xen_abi::hypercall as nr;
use xen_abi::vcpu::*;
use xen_abi::xen::*;

const AT: &SharedOffsets = SharedOffsets::of(Width::W32);
const WIDE: &SharedOffsets = SharedOffsets::of(Width::W64);

static OWN: Lock<Option<u32>> = Lock::new(None);

fn word(at: usize) -> u32 {
    mem::shared_info().dword(at / 4).load(SeqCst)
}

fn set_word(at: usize, value: u32) {
    mem::shared_info().dword(at / 4).store(value, SeqCst);
}

fn callback() -> HvmParam {
    HvmParam {
        domid: DOMID_SELF,
        index: HVM_PARAM_CALLBACK_IRQ,
        value: HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 0xf3,
        ..Default::default()
    }
}

/// Says by its mode that it is a 32-bit kernel.
fn latch() -> HyperResult {
    op(mem::alloc(), nr::HVM_OP, HVMOP_set_param, &mut callback())
}

fn evtchn<T: xen_abi::compat::Layout>(page: Page, cmd: u32, arg: &mut T) -> HyperResult {
    op(page, nr::EVENT_CHANNEL_OP, cmd, arg)
}

fn send(port: u32) -> HyperResult {
    evtchn(mem::alloc(), EVTCHNOP_send, &mut EvtchnSend { port })
}

fn ipi(page: Page) -> Result<u32, i64> {
    let mut bind = EvtchnBindIpi::default();
    evtchn(page, EVTCHNOP_bind_ipi, &mut bind)?;
    Ok(bind.port)
}

/// Makes every mask and pending bit, and what tells of them, zero.
fn clear() {
    for at in (AT.pending..WIDE.wc_version).step_by(4) {
        set_word(at, 0);
    }
    set_word(0, 0);
    set_word(4, 0);
    set_word(8, 0);
    set_word(12, 0);
}

/// The page stands where the runtime expects it.
pub fn mapped() -> Outcome {
    ok!(pvh::map_shared_info());
    Ok(())
}

/// The calls' page was filled from 64-bit code; calls from other code change nothing.
pub fn wide_until_said() -> Outcome {
    let port = ok!(ipi(mem::alloc()));
    *OWN.lock() = Some(port);
    clear();
    ok!(send(port));
    same!(word(WIDE.pending), 1 << port);
    same!((word(WIDE.pending_sel), word(AT.pending_sel)), (1, 0));
    clear();
    Ok(())
}

pub fn clock() -> Outcome {
    for at in (WIDE.wc_version..WIDE.wc_sec_hi + 4).step_by(4) {
        set_word(at, 0);
    }
    ok!(latch());
    let (version, seconds) = (word(AT.wc_version), word(AT.wc_sec));
    check!(version != 0 && version & 1 == 0, "version {version}");
    check!(seconds > 1_500_000_000, "{seconds}");
    check!(word(AT.wc_nsec) < 1_000_000_000, "nanoseconds");
    same!(word(AT.wc_sec_hi), 0);
    same!(word(WIDE.wc_sec), 0);
    clear();
    Ok(())
}

pub fn events() -> Outcome {
    let page = mem::alloc();
    let port = (*OWN.lock()).unwrap_or(0);
    clear();
    ok!(send(port));
    same!(word(AT.pending), 1 << port);
    same!((word(AT.pending_sel), word(0) & 0xff), (1, 1));
    same!(word(WIDE.pending_sel), 0);
    clear();
    // Masked: pending alone, and more with the mask's end.
    set_word(AT.mask, 1 << port);
    ok!(send(port));
    same!((word(AT.pending), word(AT.pending_sel)), (1 << port, 0));
    ok!(evtchn(page, EVTCHNOP_unmask, &mut EvtchnUnmask { port }));
    same!(
        (word(AT.mask), word(AT.pending_sel), word(0) & 0xff),
        (0, 1, 1)
    );
    let mut status = EvtchnStatus {
        dom: DOMID_SELF,
        port,
        ..Default::default()
    };
    ok!(evtchn(page, EVTCHNOP_status, &mut status));
    same!((status.status, status.vcpu), (EVTCHNSTAT_ipi, 0));
    clear();
    Ok(())
}

/// There are 32 words of 32 bits.
pub fn limit() -> Outcome {
    let page = mem::alloc();
    let mut last = 0;
    let refused = loop {
        match ipi(page) {
            Ok(port) => last = port,
            Err(errno) => break errno,
        }
    };
    same!((last, refused), (1023, Errno::ENOSPC as i64));
    clear();
    ok!(send(1023));
    ok!(send(33));
    same!(word(AT.pending + 31 * 4), 1 << 31);
    same!((word(AT.pending + 4), word(AT.pending + 8)), (2, 0));
    same!(word(AT.pending_sel), 1 << 31 | 2);
    clear();
    refused!(send(1024), EINVAL);
    for port in 33..1024 {
        ok!(evtchn(page, EVTCHNOP_close, &mut EvtchnClose { port }));
    }
    Ok(())
}

fn register(cmd: u32, addr: u64) -> HyperResult {
    let page = mem::alloc();
    page.set(0, addr);
    call(nr::VCPU_OP, [cmd, 0, low(page), 0, 0])
}

fn shown(page: Page, at: usize) -> VcpuRunstateInfo {
    narrow::take(page, at)
}

fn runs(info: &VcpuRunstateInfo) -> bool {
    let past = |time: u64| time < 1 << 50;
    info.state == RUNSTATE_running
        && info.time[0] != 0
        && past(info.state_entry_time)
        && info.time.into_iter().all(past)
}

/// At a 32-bit address, in 44 bytes.
pub fn runstate_area() -> Outcome {
    let page = mem::alloc();
    page.set(9, u64::MAX);
    // Up to the middle of word 9.
    let at = 4 * 8;
    let cmd = VCPUOP_register_runstate_memory_area;
    ok!(register(cmd, u64::from(low(page)) + at as u64));
    check!(runs(&shown(page, at)), "{:x?}", shown(page, at));
    same!(page.get(9) >> 32, 0xffff_ffff);
    ok!(register(cmd, 0));
    Ok(())
}

/// By its frame, aligned to 4 bytes and up to the frame's end.
pub fn runstate_frame() -> Outcome {
    let page = mem::alloc();
    let at = 4096 - 44;
    let address = u64::from(low(page));
    let cmd = VCPUOP_register_runstate_phys_area;
    for bad in [address + at as u64 + 4, address + 2] {
        refused!(register(cmd, bad), ENXIO);
    }
    ok!(register(cmd, address + at as u64));
    check!(runs(&shown(page, at)), "{:x?}", shown(page, at));
    ok!(register(cmd, u64::MAX));
    Ok(())
}

/// Events in the FIFO form have one form for all.
pub fn fifo() -> Outcome {
    let page = mem::alloc();
    let [control, array] = [mem::alloc(), mem::alloc()];
    let port = (*OWN.lock()).unwrap_or(0);
    let mut init = EvtchnInitControl {
        control_gfn: pvh::gfn(control),
        ..Default::default()
    };
    ok!(evtchn(page, EVTCHNOP_init_control, &mut init));
    let mut expand = EvtchnExpandArray {
        array_gfn: pvh::gfn(array),
    };
    ok!(evtchn(page, EVTCHNOP_expand_array, &mut expand));
    clear();
    ok!(send(port));
    let event = || array.dword(port as usize).load(SeqCst);
    check!(event() >> EVTCHN_FIFO_PENDING & 1 != 0, "{:x}", event());
    check!(control.dword(0).load(SeqCst) != 0, "not ready");
    same!(word(0) & 0xff, 1);
    same!((word(AT.pending), word(AT.pending_sel)), (0, 0));
    let mut next = 0;
    for _ in 0..1100 {
        next = ok!(ipi(page));
    }
    check!(next > 1024, "{next}");
    let mut reset = EvtchnReset { dom: DOMID_SELF };
    ok!(evtchn(page, EVTCHNOP_reset, &mut reset));
    clear();
    Ok(())
}

/// And back, by a call from 64-bit code.
pub fn wide_again() -> Outcome {
    let wish = &mut callback();
    ok!(hypercall::op(nr::HVM_OP, HVMOP_set_param, wish));
    let port = ok!(ipi(mem::alloc()));
    clear();
    ok!(send(port));
    same!(word(WIDE.pending), 1 << port);
    same!((word(WIDE.pending_sel), word(AT.pending_sel)), (1, 0));
    check!(word(WIDE.wc_sec) > 1_500_000_000, "seconds");
    clear();
    Ok(())
}
