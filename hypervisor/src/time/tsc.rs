//! A domain's time stamp counter: the processor's own, or one that is made of system time when
//! the tools want that (`XEN_DOMCTL_settscinfo`) or the domain knew another frequency elsewhere.
//!
//! An emulated counter costs an exit for each RDTSC. It is the exact inverse of the scale that the
//! guest's clock record gives, so it never drifts from system time.
//!
//! What the tools chose is behind a lock of the domain's level and fixed, like its CPU policy,
//! from the first time that one of its vCPUs runs.

use crate::control::domctl::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::hv::domain_lock;
use alloc::sync::Arc;
use machine::{Cpu, CpuApi, Lock};
use spin::Once;
use xen_abi::Errno;
use xen_abi::arch_x86::cpuid::*;
use xen_abi::domctl::DomctlTscInfo;
use xen_abi::forms::Payload;

/// What is known of a domain's counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tsc {
    /// `XEN_CPUID_TSC_MODE_*`.
    pub mode: u32,
    /// How often the domain moved.
    pub incarnation: u32,
    /// How it is emulated, if it is.
    pub emulated: Option<Emulated>,
}

/// A counter made of system time.
#[derive(Clone, Copy, Debug)]
pub struct Emulated {
    /// Ticks a millisecond.
    pub khz: u32,
    /// System time at which it was zero, nanoseconds; negative for a domain that is older than
    /// the machine's last start.
    pub zero: i64,
    /// Nanoseconds = ((ticks << shift) * mul) >> 32.
    pub mul: u32,
    /// Negative to shift right.
    pub shift: i8,
}

impl Emulated {
    /// One of `khz` that is `elapsed` nanoseconds old at system time `now`.
    fn new(khz: u32, now: u64, elapsed: u64) -> Emulated {
        let khz = khz.max(1);
        let zero = i128::from(now) - i128::from(elapsed);
        // Nanoseconds a tick with 64 fractional bits, brought to where its upper 32 are full.
        let mut tick = (1_000_000u128 << 64) / u128::from(khz);
        let mut shift = 0;
        while tick >= 1 << 64 {
            tick >>= 1;
            shift += 1;
        }
        while tick < 1 << 63 {
            tick <<= 1;
            shift -= 1;
        }
        Emulated {
            khz,
            zero: zero.max(i64::MIN.into()) as i64,
            mul: (tick >> 32) as u32,
            shift,
        }
    }

    /// Its value at system time `now`.
    pub fn at(&self, now: u64) -> u64 {
        let age = (i128::from(now) - i128::from(self.zero)).max(0) as u128;
        let scaled = (age << 32).div_ceil(u128::from(self.mul.max(1)));
        let ticks = if self.shift >= 0 {
            scaled.div_ceil(1 << self.shift)
        } else {
            scaled << -self.shift
        };
        ticks as u64
    }

    /// A pair of its value and system time that belong together.
    pub fn anchor(&self) -> (u64, u64) {
        match u64::try_from(self.zero) {
            Ok(now) => (0, now),
            Err(_) => (self.at(0), 0),
        }
    }
}

/// A domain's counter, until it is fixed and after.
pub struct DomainTsc {
    chosen: Lock<Tsc>,
    fixed: Once<Tsc>,
}

impl Default for DomainTsc {
    fn default() -> Self {
        DomainTsc {
            chosen: domain_lock(Tsc::default()),
            fixed: Once::new(),
        }
    }
}

impl DomainTsc {
    /// The counter, from now on for good.
    #[inline]
    pub fn get(&self) -> &Tsc {
        match self.fixed.get() {
            Some(tsc) => tsc,
            None => {
                let chosen = self.chosen.lock();
                self.fixed.call_once(|| *chosen)
            }
        }
    }
}

/// The counter as a vCPU of the domain reads it.
pub fn read(cpu: &Cpu, dom: &Domain) -> u64 {
    match &dom.tsc.get().emulated {
        Some(emulated) => emulated.at(cpu.now()),
        None => cpu.tsc(),
    }
}

/// `XEN_DOMCTL_settscinfo`. Errors: `ESRCH`; `EINVAL` for the caller's own domain or an unknown
/// mode; `EBUSY` when the domain ran already. The control domain's counter is the processor's.
pub fn set_info(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let arm: DomctlTscInfo = call.op.arm();
    if Arc::ptr_eq(&dom, cx.dom) {
        return Err(Errno::EINVAL.into());
    }
    let (_, _, host_khz) = cx.cpu.tsc_scale();
    let khz = match arm.gtsc_khz {
        0 => host_khz as u32,
        khz => khz,
    };
    let emulate = match arm.tsc_mode {
        XEN_CPUID_TSC_MODE_DEFAULT => u64::from(khz) != host_khz,
        XEN_CPUID_TSC_MODE_ALWAYS_EMULATE => true,
        XEN_CPUID_TSC_MODE_NEVER_EMULATE => false,
        _ => return Err(Errno::EINVAL.into()),
    };
    let emulated = Emulated::new(khz, cx.cpu.now(), arm.elapsed_nsec);
    let mut chosen = dom.tsc.chosen.lock();
    if dom.tsc.fixed.get().is_some() {
        return Err(Errno::EBUSY.into());
    }
    if !dom.privileged {
        *chosen = Tsc {
            mode: arm.tsc_mode,
            incarnation: arm.incarnation,
            emulated: emulate.then_some(emulated),
        };
    }
    Ok(0)
}

/// `XEN_DOMCTL_gettscinfo`. Errors: `ESRCH`; `EINVAL` for the caller's own domain.
pub fn info(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    if Arc::ptr_eq(&dom, cx.dom) {
        return Err(Errno::EINVAL.into());
    }
    let tsc = *dom.tsc.chosen.lock();
    let (_, _, host_khz) = cx.cpu.tsc_scale();
    let now = cx.cpu.now();
    let (gtsc_khz, elapsed_nsec) = match (tsc.mode, tsc.emulated) {
        (XEN_CPUID_TSC_MODE_NEVER_EMULATE, _) => (0, 0),
        (_, Some(emulated)) => {
            let age = i128::from(now) - i128::from(emulated.zero);
            (emulated.khz, u64::try_from(age).unwrap_or(0))
        }
        // How old the processor's counter is.
        (_, None) => {
            let ticks = u128::from(cx.cpu.tsc()) * 1_000_000;
            (
                host_khz as u32,
                (ticks / u128::from(host_khz.max(1))) as u64,
            )
        }
    };
    call.op.set_arm(&DomctlTscInfo {
        tsc_mode: tsc.mode,
        gtsc_khz,
        incarnation: tsc.incarnation,
        pad: 0,
        elapsed_nsec,
    });
    call.changed = true;
    Ok(0)
}

/// The hypervisor's CPUID leaf about time.
pub fn leaf(cx: &Cx, sub: u32) -> [u32; 4] {
    let tsc = cx.dom.tsc.get();
    let (mul, shift, host_khz) = cx.cpu.tsc_scale();
    let rdtscp = cx.cpu.cpuid(0x8000_0001, 0)[3] >> 27 & 1;
    match (sub, &tsc.emulated) {
        (0, emulated) => {
            let mut flags = XEN_CPUID_HOST_TSC_RELIABLE;
            if emulated.is_some() {
                flags |= XEN_CPUID_TSC_EMULATED;
            }
            if rdtscp != 0 {
                flags |= XEN_CPUID_RDTSCP_INSTR_AVAIL;
            }
            let khz = emulated.map_or(host_khz as u32, |emulated| emulated.khz);
            [flags, tsc.mode, khz, tsc.incarnation]
        }
        (1, Some(emulated)) => {
            let zero = emulated.zero as u64;
            let shift = emulated.shift as u32;
            [zero as u32, (zero >> 32) as u32, emulated.mul, shift]
        }
        (1, None) => [0, 0, mul, shift as u32],
        (2, _) => [host_khz as u32, 0, 0, 0],
        _ => [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail::Fail;
    use crate::testing::{World, call};
    use xen_abi::domctl::*;

    fn tool(cx: &mut Cx, cmd: u32, domain: u16, arm: &mut DomctlTscInfo) -> HyperResult {
        let mut op = Domctl {
            cmd,
            interface_version: XEN_DOMCTL_INTERFACE_VERSION,
            domain,
            ..Default::default()
        };
        op.set_arm(arm);
        let result = call(cx, &mut op, |cx, arg| {
            crate::control::domctl::call(cx, [arg])
        });
        *arm = op.arm();
        result
    }

    #[test]
    fn counter_and_scale_are_inverse() {
        for khz in [1, 999, 1_000_000, 2_400_001, u32::MAX] {
            for (now, elapsed) in [(5_000, 0), (5_000, 1 << 40), (0, u64::MAX)] {
                let tsc = Emulated::new(khz, now, elapsed);
                let scale = |ticks: u64| {
                    let ticks = u128::from(ticks);
                    let shifted = match tsc.shift {
                        0.. => ticks << tsc.shift,
                        _ => ticks >> -tsc.shift,
                    };
                    (shifted * u128::from(tsc.mul)) >> 32
                };
                let tick = 1_000_000 / u128::from(khz) + 1;
                let mut last = 0;
                for at in [now, now + 1, now + 123_456_789, now + (1 << 50)] {
                    let age = (i128::from(at) - i128::from(tsc.zero)) as u128;
                    let value = tsc.at(at);
                    assert!(value >= last);
                    last = value;
                    if age < 1 << 51 {
                        let back = scale(value);
                        assert!(back >= age && back - age <= tick, "{khz} {at}");
                    }
                }
                let (value, at) = tsc.anchor();
                assert_eq!(value, tsc.at(at));
            }
        }
    }

    #[test]
    fn the_tools_choose_before_the_domain_runs() {
        let world = World::new(1);
        let dom0 = world.domain(0, true, 1);
        let domu = world.domain(1, false, 1);
        world.on(&dom0, 0, 0, |cx| {
            let (set, get) = (XEN_DOMCTL_settscinfo, XEN_DOMCTL_gettscinfo);
            let errno = |errno| Err(Fail::Errno(errno));
            let mut arm = DomctlTscInfo::default();
            assert_eq!(tool(cx, set, 1, &mut arm), Ok(0));
            assert!(domu.dom.tsc.chosen.lock().emulated.is_none());
            assert_eq!(tool(cx, get, 1, &mut arm), Ok(0));
            assert_eq!(u64::from(arm.gtsc_khz), cx.cpu.tsc_scale().2);
            assert_eq!(tool(cx, set, 0, &mut arm), errno(Errno::EINVAL));
            assert_eq!(tool(cx, get, 0, &mut arm), errno(Errno::EINVAL));
            assert_eq!(tool(cx, set, 7, &mut arm), errno(Errno::ESRCH));
            for tsc_mode in [3, u32::MAX] {
                let mut arm = DomctlTscInfo {
                    tsc_mode,
                    ..Default::default()
                };
                assert_eq!(tool(cx, set, 1, &mut arm), errno(Errno::EINVAL));
            }
            // A domain that comes from a machine of another frequency.
            let mut arm = DomctlTscInfo {
                gtsc_khz: 123_456,
                incarnation: 4,
                elapsed_nsec: 1_000_000_000,
                ..Default::default()
            };
            assert_eq!(tool(cx, set, 1, &mut arm), Ok(0));
            let mut got = DomctlTscInfo::default();
            assert_eq!(tool(cx, get, 1, &mut got), Ok(0));
            assert_eq!((got.gtsc_khz, got.incarnation), (123_456, 4));
            assert!(got.elapsed_nsec >= 1_000_000_000);
        });
        world.on(&domu, 0, 0, |cx| {
            crate::time::enter(cx);
            assert!(cx.cpu.tsc_traps());
            assert!(read(cx.cpu, cx.dom) >= 123_456_000);
            assert_eq!(leaf(cx, 0)[0] & 1, 1);
            assert_eq!(leaf(cx, 0)[2..], [123_456, 4]);
        });
        world.on(&dom0, 0, 0, |cx| {
            crate::time::enter(cx);
            assert!(!cx.cpu.tsc_traps());
            assert_eq!(leaf(cx, 0)[0] & 1, 0);
            let mut arm = DomctlTscInfo::default();
            let result = tool(cx, XEN_DOMCTL_settscinfo, 1, &mut arm);
            assert_eq!(result, Err(Fail::Errno(Errno::EBUSY)));
            // What dom0's kernel forbids its users traps too.
            cx.st.cr4 = 1 << 2;
            crate::time::trap_tsc(cx);
            assert!(cx.cpu.tsc_traps());
        });
    }
}
