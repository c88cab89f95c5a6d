//! Sleep, and processors' power states.

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::log;
use machine::platform::Power;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

/// SLP_TYP in the PM1 control register. ACPI 6.5, 4.8.3.2.1.
const SLEEP_TYPE_SHIFT: u16 = 10;
const SOFT_OFF: u32 = 5;

/// `XENPF_enter_acpi_sleep`. Errors: `EOPNOTSUPP` for all states but S5; `EINVAL` for unknown
/// flags; `EPERM` for a machine without the registers; `EIO` when it stayed on.
pub fn sleep(cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let (a, b) = sleep_types(&cx.hv.platform.power, &op.arm())?;
    log!(cx.hv, Info, "domain {} switches the machine off", cx.dom.id);
    machine::power::acpi_sleep(cx.hv.platform, a, b);
    Err(Errno::EIO.into())
}

/// What is to be written to the two halves of PM1 control: they need not be the same.
fn sleep_types(power: &Power, arg: &XenpfEnterAcpiSleep) -> Result<(u8, u8), Errno> {
    if arg.flags & !XENPF_ACPI_SLEEP_EXTENDED != 0 {
        return Err(Errno::EINVAL);
    }
    let reduced = arg.flags & XENPF_ACPI_SLEEP_EXTENDED != 0;
    if reduced || power.pm1a_control.is_none() {
        return Err(Errno::EPERM);
    }
    if arg.sleep_state != SOFT_OFF {
        return Err(Errno::EOPNOTSUPP);
    }
    let kind = |value: u16| (value >> SLEEP_TYPE_SHIFT & 7) as u8;
    Ok((kind(arg.val_a), kind(arg.val_b)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use machine::platform::Register;

    #[test]
    fn each_half_of_pm1_control_has_its_own_value() {
        let mut power = Power::new();
        let off = XenpfEnterAcpiSleep {
            // The enable bit and what else is in the registers do not count.
            val_a: 7 << 10 | 1 << 13 | 1,
            val_b: 2 << 10 | 1 << 13,
            sleep_state: SOFT_OFF,
            flags: 0,
        };
        assert_eq!(sleep_types(&power, &off), Err(Errno::EPERM));
        power.pm1a_control = Some(Register::Port(0x404));
        assert_eq!(sleep_types(&power, &off), Ok((7, 2)));
        let refused = [
            (XenpfEnterAcpiSleep { flags: 2, ..off }, Errno::EINVAL),
            (XenpfEnterAcpiSleep { flags: 1, ..off }, Errno::EPERM),
            (
                XenpfEnterAcpiSleep {
                    sleep_state: 3,
                    ..off
                },
                Errno::EOPNOTSUPP,
            ),
        ];
        for (arg, errno) in refused {
            assert_eq!(sleep_types(&power, &arg), Err(errno));
        }
    }
}
