//! What guests read time from: the record in each `vcpu_info`, its copies, and the wall clock.
//!
//! System time is the same linear function of the time stamp counter everywhere and for ever,
//! so a record is written once for each place that it is wanted at. Guests see it one
//! nanosecond ahead of [`CpuApi::now`]: so no timer ever seems to fire early to them, and zero
//! still means that the record was not written.
//!
//! Lock: the wall clock's, under which shared pages' copies of it are written too.

use crate::cx::Cx;
use crate::domain::{Domain, GuestArea, Vcpu};
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use core::sync::atomic::{AtomicU32, Ordering};
use machine::{Cpu, CpuApi, Page};
use xen_abi::compat::SharedOffsets;
use xen_abi::shared_info::*;
use zerocopy::IntoBytes;

/// Nanoseconds a second.
const SECOND: u64 = 1_000_000_000;

/// The wall clock at system time zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wall {
    /// Seconds since 1970.
    pub seconds: u64,
    /// And nanoseconds.
    pub nanos: u32,
}

/// The record of a vCPU that holds on all CPUs.
fn record(cpu: &Cpu, dom: &Domain, vcpu: &Vcpu, version: u32) -> VcpuTimeInfo {
    let (mul, shift, _) = cpu.tsc_scale();
    let start = cpu.tsc_start().wrapping_add(super::tsc_offset(vcpu));
    let own = (start, 0, mul, shift);
    let (tsc_timestamp, system_time, tsc_to_system_mul, tsc_shift) =
        dom.tsc.get().emulated.as_ref().map_or(own, |emulated| {
            let (tsc, time) = emulated.anchor();
            (tsc, time, emulated.mul, emulated.shift)
        });
    VcpuTimeInfo {
        version,
        pad0: 0,
        tsc_timestamp,
        system_time: system_time.wrapping_add(1),
        tsc_to_system_mul,
        tsc_shift,
        flags: XEN_PVCLOCK_TSC_STABLE_BIT,
        pad1: [0; 2],
    }
}

/// The version after `old` of a record that is whole: even, and not `old`.
fn next_version(old: u32) -> u32 {
    (old & !1).wrapping_add(2)
}

/// Writes a vCPU's record at byte `at` of a frame of the guest's.
pub fn show_at(cx: &Cx, vcpu: &Vcpu, area: &GuestArea, at: usize) {
    let Some(version) = area.u32(at + VCPU_TIME_VERSION) else {
        return;
    };
    let next = next_version(version.load(Ordering::Relaxed));
    guarded(version, next, || {
        let record = record(cx.cpu, cx.dom, vcpu, next.wrapping_sub(1));
        area.write(at, record.as_bytes());
    });
}

/// Runs `write` between an odd version and version `next`.
fn guarded(version: &AtomicU32, next: u32, write: impl FnOnce()) {
    version.store(next.wrapping_sub(1), Ordering::Relaxed);
    core::sync::atomic::fence(Ordering::Release);
    write();
    version.store(next, Ordering::Release);
}

/// Writes the record at a virtual address of the guest that is loaded. What cannot be written
/// is left.
pub fn show_at_va(cx: &mut Cx, va: u64) -> bool {
    let Ok(old) = cx.copy_in(GuestPtr::<u32>::new(va)) else {
        return false;
    };
    let next = next_version(old);
    let record = record(cx.cpu, cx.dom, cx.vcpu, next.wrapping_sub(1));
    cx.copy_out(GuestPtr::new(va), &record).is_ok() && cx.copy_out(GuestPtr::new(va), &next).is_ok()
}

/// Writes the wall clock to a domain's shared page.
pub fn show_wall(hv: &Hypervisor, dom: &Domain) {
    let wall = hv.clocks.wall.lock();
    write_wall(
        *wall,
        dom.time_offset.load(Ordering::Relaxed),
        &dom.shared_info,
        dom.shared_offsets(),
    );
}

fn write_wall(wall: Wall, offset: u64, shared: &Page, at: &SharedOffsets) {
    // The offset is signed; seconds wrap as two's complement does.
    let seconds = wall.seconds.wrapping_add(offset);
    let Some(version) = shared.u32_at(at.wc_version) else {
        return;
    };
    guarded(
        version,
        next_version(version.load(Ordering::Relaxed)),
        || {
            for (at, value) in [
                (at.wc_sec, seconds as u32),
                (at.wc_nsec, wall.nanos),
                (at.wc_sec_hi, (seconds >> 32) as u32),
            ] {
                if let Some(word) = shared.u32_at(at) {
                    word.store(value, Ordering::Relaxed);
                }
            }
        },
    );
}

/// Sets the wall clock: it was `seconds` since 1970 and `nanos` when system time was `base`.
/// Every domain sees it.
pub fn set_wallclock(hv: &Hypervisor, seconds: u64, nanos: u32, base: u64) {
    let at_zero = u128::from(seconds) * u128::from(SECOND) + u128::from(nanos);
    let at_zero = at_zero.saturating_sub(u128::from(base));
    hv.console
        .set_date(u64::try_from(at_zero).unwrap_or(u64::MAX));
    *hv.clocks.wall.lock() = Wall {
        seconds: (at_zero / u128::from(SECOND)) as u64,
        nanos: (at_zero % u128::from(SECOND)) as u32,
    };
    let mut id = 0;
    while let Some(dom) = hv.domains.from(id) {
        show_wall(hv, &dom);
        let Some(next) = dom.id.checked_add(1) else {
            break;
        };
        id = next;
    }
}

/// The wall clock now: seconds since 1970 and nanoseconds.
pub fn wall_now(hv: &Hypervisor, cpu: &Cpu) -> (u64, u32) {
    let wall = *hv.clocks.wall.lock();
    let nanos = u64::from(wall.nanos).saturating_add(cpu.now());
    (
        wall.seconds.wrapping_add(nanos / SECOND),
        (nanos % SECOND) as u32,
    )
}
