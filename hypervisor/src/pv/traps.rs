//! traps

use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;

/// The hypercall.
pub fn set_trap_table(_cx: &mut Cx, _args: [u64; 1]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn stack_switch(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn fpu_taskswitch(_cx: &mut Cx, _args: [u64; 1]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn vm_assist(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn set_segment_base(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn nmi_op(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn callback_op(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}
