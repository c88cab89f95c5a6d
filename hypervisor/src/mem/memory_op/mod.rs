//! The `memory_op` hypercall: one row for each operation.
//!
//! A long operation is continued as Xen's ABI has it: how many extents are done stands in the
//! command's bits above the operation's number, where a guest may put it too.

mod acquire;
mod claim;
mod exchange;
mod machine_map;
mod machphys;
mod memory_map;
mod physmap;
mod query;
mod reservation;
mod sharing;

#[cfg(test)]
mod tests;

use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;

/// Where the number of extents done starts in the command.
const EXTENT_SHIFT: u32 = 6;

/// An operation that is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub nr: u64,
    /// Its name, as in Xen's headers without the prefix.
    pub name: &'static str,
}

/// The arguments of an operation.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// Its number.
    op: u64,
    /// Extents done by earlier rounds, if that is true.
    done: u64,
    /// Guest address of its structure.
    arg: u64,
}

macro_rules! operations {
    ($($nr:literal $name:ident $continued:ident $handler:path;)*) => {
        /// Every operation that is implemented.
        pub const TABLE: &[Row] = &[$(Row { nr: $nr, name: stringify!($name) }),*];

        fn dispatch(cx: &mut Cx, call: Call) -> HyperResult {
            match call.op {
                $($nr => operations!(@$continued cx, call, $handler),)*
                _ => Err(Errno::ENOSYS.into()),
            }
        }
    };
    (@extents $cx:ident, $call:ident, $handler:path) => { $handler($cx, $call) };
    (@whole $cx:ident, $call:ident, $handler:path) => {
        if $call.done == 0 { $handler($cx, $call) } else { Err(Errno::EINVAL.into()) }
    };
    (@number $cx:ident, $call:ident, $handler:path) => {
        if $call.done == 0 { $handler($cx, $call) } else { Err(Errno::ENOSYS.into()) }
    };
}

// The third column: `extents` can be continued; `whole` cannot, and an extent in the command is
// invalid; `number` cannot, and an extent makes the command another, unknown one.
operations! {
    0  increase_reservation       extents reservation::increase;
    1  decrease_reservation       extents reservation::decrease;
    2  maximum_ram_page           whole   query::maximum_ram_page;
    3  current_reservation        whole   query::current_reservation;
    4  maximum_reservation        whole   query::maximum_reservation;
    5  machphys_mfn_list          number  machphys::mfn_list;
    6  populate_physmap           extents reservation::populate;
    7  add_to_physmap             extents physmap::add;
    9  memory_map                 number  memory_map::get;
    10 machine_memory_map         number  machine_map::machine_memory_map;
    11 exchange                   whole   exchange::exchange;
    12 machphys_mapping           number  machphys::mapping;
    13 set_memory_map             number  memory_map::set;
    14 maximum_gpfn               whole   query::maximum_gpfn;
    15 remove_from_physmap        whole   physmap::remove;
    16 set_pod_target             number  query::pod_target;
    17 get_pod_target             number  query::pod_target;
    18 get_sharing_freed_pages    number  sharing::none;
    19 get_sharing_shared_pages   number  sharing::none;
    20 paging_op                  extents sharing::no_system;
    21 access_op                  extents sharing::access_op;
    22 sharing_op                 extents sharing::no_system;
    23 add_to_physmap_batch       extents physmap::add_batch;
    24 claim_pages                whole   claim::claim_pages;
    25 machphys_compat_mfn_list   number  machphys::compat_mfn_list;
    26 get_vnumainfo              whole   query::vnumainfo;
    27 reserved_device_memory_map whole   machine_map::reserved_device_memory_map;
    28 acquire_resource           extents acquire::acquire_resource;
}

/// The hypercall.
pub fn call(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    let op = cmd & ((1 << EXTENT_SHIFT) - 1);
    // Machine frames, and the place of the table of them, are nothing to who has a physical map.
    if matches!(op, 11 | 12 | 25) && cx.dom.hvm.get().is_some() {
        return Err(Errno::ENOSYS.into());
    }
    dispatch(
        cx,
        Call {
            op,
            done: cmd >> EXTENT_SHIFT,
            arg,
        },
    )
}
