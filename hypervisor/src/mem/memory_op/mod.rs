//! The `memory_op` hypercall: one row for each operation.
//!
//! A long operation is continued as Xen's ABI has it: how many extents are done stands in the
//! command's bits above the operation's number, where a guest may put it too.

mod exchange;
mod machine_map;
mod query;
mod reservation;

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
    ($($nr:literal $name:ident $handler:path;)*) => {
        /// Every operation that is implemented.
        pub const TABLE: &[Row] = &[$(Row { nr: $nr, name: stringify!($name) }),*];

        fn dispatch(cx: &mut Cx, call: Call) -> HyperResult {
            match call.op {
                $($nr => $handler(cx, call),)*
                _ => Err(Errno::ENOSYS.into()),
            }
        }
    };
}

operations! {
    0  increase_reservation      reservation::increase;
    1  decrease_reservation      reservation::decrease;
    2  maximum_ram_page          query::maximum_ram_page;
    3  current_reservation       query::current_reservation;
    4  maximum_reservation       query::maximum_reservation;
    6  populate_physmap          reservation::populate;
    10 machine_memory_map        machine_map::machine_memory_map;
    11 exchange                  exchange::exchange;
    12 machphys_mapping          query::machphys_mapping;
    14 maximum_gpfn              query::maximum_gpfn;
}

/// The hypercall.
pub fn call(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    let op = cmd & ((1 << EXTENT_SHIFT) - 1);
    dispatch(cx, Call { op, done: cmd >> EXTENT_SHIFT, arg })
}
