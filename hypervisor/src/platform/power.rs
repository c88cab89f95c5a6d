//! Sleep, and processors' power states.

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::log;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

/// SLP_TYP in the PM1 control register. ACPI 6.5, 4.8.3.2.1.
const SLEEP_TYPE_SHIFT: u16 = 10;
const SOFT_OFF: u32 = 5;

/// `XENPF_enter_acpi_sleep`. Errors: `EOPNOTSUPP` for all states but S5; `EINVAL` for unknown
/// flags; `EPERM` for a machine without the registers; `EIO` when it stayed on.
pub fn sleep(cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let arg: XenpfEnterAcpiSleep = op.arm();
    if arg.flags & !XENPF_ACPI_SLEEP_EXTENDED != 0 {
        return Err(Errno::EINVAL.into());
    }
    let reduced = arg.flags & XENPF_ACPI_SLEEP_EXTENDED != 0;
    if reduced || cx.hv.platform.power.pm1a_control.is_none() {
        return Err(Errno::EPERM.into());
    }
    if arg.sleep_state != SOFT_OFF {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let kind = |value: u16| (value >> SLEEP_TYPE_SHIFT & 7) as u8;
    log!(cx.hv, Info, "domain {} switches the machine off", cx.dom.id);
    machine::power::acpi_sleep(cx.hv.platform, kind(arg.val_a), kind(arg.val_b));
    Err(Errno::EIO.into())
}

/// `XENPF_set_processor_pminfo`: taken note of, and not used: CPUs idle by HLT and run at the
/// frequency that the firmware chose.
pub fn processor_info(_cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let arg: XenpfSetProcessorPminfo = op.arm();
    match arg.r#type {
        XEN_PM_CX | XEN_PM_PX | XEN_PM_PDC => Ok(0),
        XEN_PM_TX => Err(Errno::ENOSYS.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `XENPF_core_parking`: all CPUs work, and none can be parked.
pub fn core_parking(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    let mut arg: XenpfCoreParking = op.arm();
    match arg.r#type {
        XEN_CORE_PARKING_GET => {
            arg.idle_nums = 0;
            op.set_arm(&arg);
            Ok(0)
        }
        XEN_CORE_PARKING_SET if arg.idle_nums == 0 || arg.idle_nums >= cx.hv.cpus => {
            Err(Errno::EINVAL.into())
        }
        XEN_CORE_PARKING_SET => Err(Errno::EOPNOTSUPP.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}
