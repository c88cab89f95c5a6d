//! What the firmware left: asked by dom0 at its start.

use super::efi;
use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

/// `XENPF_firmware_info`. Errors: `ESRCH` for what the BIOS could be asked in real mode only
/// (disks, boot records, monitors); `EINVAL` for an unknown type; and as [`efi::info`].
pub fn info(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    let mut arg: XenpfFirmwareInfo = op.arm();
    match arg.r#type {
        XEN_FW_DISK_INFO | XEN_FW_DISK_MBR_SIGNATURE | XEN_FW_VBEDDC_INFO => {
            return Err(Errno::ESRCH.into());
        }
        XEN_FW_EFI_INFO => {
            let mut words = XenpfEfiInfo { u: arg.u };
            efi::info(cx, arg.index, &mut words)?;
            arg.u = words.u;
        }
        XEN_FW_KBD_SHIFT_FLAGS if arg.index == 0 => arg.set_arm(&0u8),
        XEN_FW_KBD_SHIFT_FLAGS => return Err(Errno::ESRCH.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    op.set_arm(&arg);
    Ok(0)
}
