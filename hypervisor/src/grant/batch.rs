//! Operations on arrays of structures: one after the other, with a look at other work between.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::compat::Layout;
use xen_abi::grant_table::*;

/// The arguments of a call on an array.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The operation.
    pub cmd: u64,
    /// Address of the array.
    pub addr: u64,
    /// Structures in it.
    pub count: u64,
}

/// A structure with a `GNTST_*` status in it.
pub trait Op: Layout {
    /// Says how it went.
    fn set_status(&mut self, status: i16);
}

macro_rules! ops {
    ($($ty:ty),*) => {
        $(impl Op for $ty {
            fn set_status(&mut self, status: i16) {
                self.status = status;
            }
        })*
    };
}

ops!(
    GnttabMapGrantRef,
    GnttabUnmapGrantRef,
    GnttabUnmapAndReplace,
    GnttabTransfer,
    GnttabCopy
);
ops!(
    GnttabSwapGrantRef,
    GnttabSetupTable,
    GnttabQuerySize,
    GnttabGetStatusFrames
);

/// Does `f` to each structure and writes it back. Errors: `EFAULT`; `Restart` between two, or
/// when `f` says so with nothing done.
pub fn each<T: Layout>(
    cx: &mut Cx,
    batch: Batch,
    mut f: impl FnMut(&mut Cx, &mut T) -> Result<(), Fail>,
) -> HyperResult {
    let list = GuestPtr::<T>::new(batch.addr);
    for i in 0..batch.count {
        let at = cx.at(list, i);
        let mut result = Ok(());
        if i > 0 && cx.cpu.work_pending() {
            result = Err(Fail::Restart);
        }
        if result.is_ok() {
            let mut op = cx.copy_in(at)?;
            result = f(cx, &mut op);
            if result.is_ok() {
                cx.copy_out(at, &op)?;
            }
        }
        if let Err(fail) = result {
            if fail == Fail::Restart {
                cx.set_args([batch.cmd, at.addr(), batch.count - i]);
            }
            return Err(fail);
        }
    }
    Ok(0)
}

/// Does `f` to the only structure there may be and writes it back. Errors: `EINVAL` when the
/// caller gave another number; `EFAULT`.
pub fn one<T: Layout>(
    cx: &mut Cx,
    batch: Batch,
    f: impl FnOnce(&mut Cx, &mut T) -> Result<(), Fail>,
) -> HyperResult {
    if batch.count != 1 {
        return Err(Errno::EINVAL.into());
    }
    let at = GuestPtr::<T>::new(batch.addr);
    let mut op = cx.copy_in(at)?;
    f(cx, &mut op)?;
    cx.copy_out(at, &op)?;
    Ok(0)
}
