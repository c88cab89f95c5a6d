//! What dom0 sets and asks of the machine: the `platform_op` hypercall and I/O ports.
//!
//! No state here: the clock is `time`'s, a domain's view of the ports `irq`'s.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

mod cpus;
mod efi;
mod firmware;
pub mod mca;
mod memtype;
mod pit;
pub mod ports;
mod power;
#[cfg(test)]
mod tests;
pub mod topology;

pub use cpus::show as show_cpu;

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

/// The `platform_op` hypercall.
pub fn call(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let ptr = GuestPtr::<PlatformOp>::new(arg);
    let mut op = cx.copy_in(ptr)?;
    if op.interface_version != XENPF_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.dom.require_privilege()?;
    let result = serve(cx, &mut op)?;
    cx.copy_out(ptr, &op)?;
    Ok(result)
}

/// The `xenpmu_op` hypercall: the performance counters are not shared with guests, as on Xen
/// without `vpmu`. Errors: `EOPNOTSUPP`.
pub fn no_performance_counters(_: &mut Cx, _: [u64; 2]) -> HyperResult {
    Err(Errno::EOPNOTSUPP.into())
}

fn serve(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    match op.cmd {
        XENPF_settime32 => {
            let arg: XenpfSettime32 = op.arm();
            set_time(cx, u64::from(arg.secs), arg.nsecs, arg.system_time)
        }
        XENPF_settime64 => {
            let arg: XenpfSettime64 = op.arm();
            if arg.mbz != 0 {
                return Err(Errno::EINVAL.into());
            }
            set_time(cx, arg.secs, arg.nsecs, arg.system_time)
        }
        XENPF_read_memtype => memtype::read(cx, op),
        XENPF_add_memtype => memtype::add(op),
        XENPF_del_memtype => memtype::del(op),
        XENPF_platform_quirk => {
            let arg: XenpfPlatformQuirk = op.arm();
            match arg.quirk_id {
                QUIRK_NOIRQBALANCING | QUIRK_IOAPIC_BAD_REGSEL | QUIRK_IOAPIC_GOOD_REGSEL => Ok(0),
                _ => Err(Errno::EINVAL.into()),
            }
        }
        XENPF_firmware_info => firmware::info(cx, op),
        // Run-time services are not entered: EFI's own pages are not mapped.
        XENPF_efi_runtime_call => Err(Errno::ENOSYS.into()),
        XENPF_enter_acpi_sleep => power::sleep(cx, op),
        XENPF_set_processor_pminfo => power::processor_info(cx, op),
        // Only for a dom0 that drives the frequency itself, which Xen calls `dom0-kernel`.
        XENPF_change_freq | XENPF_getidletime => Err(Errno::ENOSYS.into()),
        XENPF_core_parking => power::core_parking(cx, op),
        XENPF_get_cpuinfo => cpus::info(cx, op),
        XENPF_get_cpu_version => cpus::version(cx, op),
        XENPF_get_ucode_revision => cpus::microcode(cx, op),
        XENPF_cpu_online => cpus::online(cx, op),
        XENPF_cpu_offline => cpus::offline(cx, op),
        XENPF_cpu_hotadd => cpus::hotadd(cx, op),
        XENPF_mem_hotadd => {
            let arg: XenpfMemHotadd = op.arm();
            let some = arg.spfn < arg.epfn;
            Err(if some {
                Errno::EOPNOTSUPP
            } else {
                Errno::EINVAL
            }
            .into())
        }
        // No loader of microcode is here, as on a processor that Xen has none for.
        XENPF_microcode_update | XENPF_microcode_update2 => Err(Errno::EINVAL.into()),
        XENPF_resource_op => cpus::resource(cx, op),
        XENPF_get_symbol => {
            // The list of symbols is empty: its first number is also its end.
            let arg: XenpfSymdata = op.arm();
            if arg.symnum == 0 {
                Ok(0)
            } else {
                Err(Errno::ERANGE.into())
            }
        }
        XENPF_get_dom0_console => Err(Errno::ENODEV.into()),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Sets the wall clock: `secs` and `nsecs` since 1970 were when system time was `at`.
fn set_time(cx: &mut Cx, secs: u64, nsecs: u32, at: u64) -> HyperResult {
    crate::time::set_wallclock(cx.hv, secs, nsecs, at);
    Ok(0)
}
