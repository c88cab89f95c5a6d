//! System time from the shared clock words and the TSC.

use crate::insn::rdtsc;
use crate::local;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use xen_abi::shared_info::{VCPU_INFO_TIME, VcpuTimeInfo};

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

fn word64(base: u64, offset: usize) -> u64 {
    // SAFETY: a field of the mapped `vcpu_info`, shared with the hypervisor.
    unsafe { &*((base + offset as u64) as *const AtomicU64) }.load(Ordering::Acquire)
}

fn word32(base: u64, offset: usize) -> u32 {
    // SAFETY: as `word64`.
    unsafe { &*((base + offset as u64) as *const AtomicU32) }.load(Ordering::Acquire)
}

/// A consistent copy of the running vCPU's clock words.
pub fn clock() -> VcpuTimeInfo {
    let base = local::this().vcpu_info.load(Ordering::Relaxed) + VCPU_INFO_TIME as u64;
    loop {
        let version = word32(base, 0);
        let shift_flags = word32(base, offset_of!(VcpuTimeInfo, tsc_shift));
        let info = VcpuTimeInfo {
            version,
            tsc_timestamp: word64(base, offset_of!(VcpuTimeInfo, tsc_timestamp)),
            system_time: word64(base, offset_of!(VcpuTimeInfo, system_time)),
            tsc_to_system_mul: word32(base, offset_of!(VcpuTimeInfo, tsc_to_system_mul)),
            tsc_shift: shift_flags as u8 as i8,
            flags: (shift_flags >> 8) as u8,
            ..Default::default()
        };
        fence(Ordering::SeqCst);
        if version & 1 == 0 && word32(base, 0) == version {
            return info;
        }
    }
}

/// Nanoseconds since the hypervisor started.
pub fn now() -> u64 {
    let info = clock();
    let delta = rdtsc().wrapping_sub(info.tsc_timestamp);
    let scaled = if info.tsc_shift < 0 {
        delta >> -info.tsc_shift
    } else {
        delta << info.tsc_shift
    };
    info.system_time
        .wrapping_add(((u128::from(scaled) * u128::from(info.tsc_to_system_mul)) >> 32) as u64)
}

/// Waits, busily, until `done` holds or `limit` nanoseconds have passed; whether it held.
pub fn wait(limit: u64, mut done: impl FnMut() -> bool) -> bool {
    let end = now() + limit;
    loop {
        if done() {
            return true;
        }
        if now() > end {
            return false;
        }
        core::hint::spin_loop();
    }
}
