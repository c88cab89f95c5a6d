//! The log and the debug keys, for `xl dmesg` and `xl debug-keys`.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::forms::Payload;

/// `XEN_SYSCTL_readconsole`.
pub fn read_console(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arm = call.op.arm();
    crate::console::read_log(cx, &mut arm)?;
    call.op.set_arm(&arm);
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_debug_keys`.
pub fn debug_keys(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arm = call.op.arm();
    crate::debug_keys::from_tool(cx, &arm)
}
