//! Time: the time-stamp counter, calibrated at boot.
//!
//! Owns the scale, written once by the boot CPU before any other runs. Invariant: `now` is a
//! fixed linear function of the TSC, the one that Xen's `vcpu_time_info` describes, so a guest
//! computes the same nanoseconds from the same TSC.

use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::reference::Reference;
use super::{io, reference};
use crate::platform::Platform;
use crate::settings::ReferenceClock;

static START: AtomicU64 = AtomicU64::new(0);
static MUL: AtomicU32 = AtomicU32::new(0x8000_0000);
static SHIFT: AtomicI32 = AtomicI32::new(0);
static KHZ: AtomicU64 = AtomicU64::new(2_000_000);
/// TSC ticks a nanosecond, with 32 fractional bits.
static TICKS: AtomicU64 = AtomicU64::new(2 << 32);

/// How long a calibration takes, in nanoseconds.
const WINDOW: u64 = 10_000_000;

/// The unscaled TSC, not ordered with other instructions.
#[inline(always)]
fn tsc() -> u64 {
    // SAFETY: reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds since boot.
#[inline]
pub fn now() -> u64 {
    tsc_to_ns(tsc().wrapping_sub(START.load(Relaxed)))
}

/// TSC value at which [`now`] was or will be `ns`.
pub fn tsc_at(ns: u64) -> u64 {
    let ticks = (u128::from(ns) * u128::from(TICKS.load(Relaxed))) >> 32;
    START.load(Relaxed).wrapping_add(ticks as u64)
}

/// TSC value that stands for nanosecond 0.
pub fn tsc_start() -> u64 {
    START.load(Relaxed)
}

fn tsc_to_ns(ticks: u64) -> u64 {
    let shift = SHIFT.load(Relaxed);
    let ticks = u128::from(ticks);
    let shifted = if shift < 0 {
        ticks >> -shift
    } else {
        ticks << shift
    };
    ((shifted * u128::from(MUL.load(Relaxed))) >> 32) as u64
}

/// The scale: nanoseconds = ((ticks << shift) * mul) >> 32 (shift right when negative), and
/// the TSC's frequency in kHz.
pub fn tsc_scale() -> (u32, i8, u64) {
    (
        MUL.load(Relaxed),
        SHIFT.load(Relaxed) as i8,
        KHZ.load(Relaxed),
    )
}

/// Multiplier and shift for a frequency.
fn scale(khz: u64) -> (u32, i32) {
    let mut mul = (1_000_000u128 << 32) / u128::from(khz.max(1));
    let mut shift = 0;
    while mul >= 1 << 32 {
        mul >>= 1;
        shift += 1;
    }
    while mul < 1 << 31 {
        mul <<= 1;
        shift -= 1;
    }
    (mul as u32, shift)
}

/// Finds the TSC's frequency and starts the clock. Returns where the frequency is from. With
/// `wanted` it is measured by that one, if the machine has it.
pub fn init(platform: &Platform, wanted: Option<ReferenceClock>) -> &'static str {
    let stated = stated().map(|khz| (khz, "CPUID"));
    let (khz, source) = match wanted {
        Some(clock) => measured(platform, |reference| reference.kind() == clock),
        None => stated,
    }
    .or_else(|| measured(platform, |_| true))
    .or(stated)
    .unwrap_or((2_000_000, "a guess"));
    let (mul, shift) = scale(khz);
    MUL.store(mul, Relaxed);
    SHIFT.store(shift, Relaxed);
    KHZ.store(khz, Relaxed);
    TICKS.store(((u128::from(khz) << 32) / 1_000_000) as u64, Relaxed);
    START.store(tsc(), Relaxed);
    source
}

/// The frequency as CPUID states it, in kHz.
fn stated() -> Option<u64> {
    let (denominator, numerator, crystal, _) = io::cpuid_max(0x15, 0);
    let product = u64::from(crystal).checked_mul(u64::from(numerator))?;
    if let Some(hz) = product
        .checked_div(u64::from(denominator))
        .filter(|hz| *hz > 1_000_000)
    {
        return Some(hz / 1000);
    }
    // A hypervisor below us may say it in its timing leaf.
    let (top, ..) = io::cpuid(0x4000_0000, 0);
    let present = io::cpuid(1, 0).2 & 1 << 31 != 0 && (0x4000_0010..0x4001_0000).contains(&top);
    let khz = if present {
        io::cpuid(0x4000_0010, 0).0
    } else {
        0
    };
    (khz > 1000).then_some(u64::from(khz))
}

/// The frequency measured against the best reference that there is of those that are `wanted`.
fn measured(
    platform: &Platform,
    wanted: impl Fn(&Reference) -> bool,
) -> Option<(u64, &'static str)> {
    reference::all(platform)
        .iter()
        .filter(|reference| wanted(reference))
        .filter_map(|reference| Some((measure(reference)?, reference.name())))
        .find(|(khz, _)| (1_000..=100_000_000).contains(khz))
}

fn measure(reference: &Reference) -> Option<u64> {
    let (ref0, tsc0) = sample(reference);
    let limit = 1u64 << 34;
    loop {
        let elapsed = reference.nanos(ref0, reference.read());
        if elapsed >= WINDOW {
            break;
        }
        if tsc().wrapping_sub(tsc0) > limit {
            return None;
        }
    }
    let (ref1, tsc1) = sample(reference);
    let nanos = reference.nanos(ref0, ref1);
    let ticks = tsc1.wrapping_sub(tsc0);
    let khz = (u128::from(ticks) * 1_000_000).checked_div(u128::from(nanos))?;
    u64::try_from(khz).ok()
}

/// The reference and the TSC at one moment: of a few tries the one that took least.
fn sample(reference: &Reference) -> (u64, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..8 {
        let before = io::rdtsc();
        let value = reference.read();
        let took = io::rdtsc().wrapping_sub(before);
        if took < best.0 {
            best = (took, value, before.wrapping_add(took / 2));
        }
    }
    (best.1, best.2)
}

/// Waits `ns` nanoseconds without doing anything else. After [`init`] only.
pub fn delay(ns: u64) {
    let until = now().saturating_add(ns);
    while now() < until {
        core::hint::spin_loop();
    }
}
