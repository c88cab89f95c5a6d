//! Calls without operations, by what each argument means.

use super::super::layout::HANDLER;
use super::kind::Kind::{self, *};
use xen_abi::hypercall as nr;

/// Files that `hypfs_op` may read or write.
const PATHS: &[&str] = &[
    "/",
    "/params",
    "/params/loglvl",
    "/params/console_timestamps",
    "/buildinfo/version/major",
    "/cpupool/0/sched-gran",
    "/nothing",
];

/// Number, and the arguments.
pub const PLAIN: &[(u32, &[Kind])] = &[
    (
        nr::SET_TRAP_TABLE,
        &[Array(&Of(&[0, HANDLER, 0xe033_0003]))],
    ),
    (
        nr::MMU_UPDATE,
        &[Array(&Entry), Count, Of(&[0]), Of(&[0x7ff0])],
    ),
    (nr::SET_GDT, &[Array(&Mfn), Of(&[0, 8, 512, 513, 2048])]),
    (nr::STACK_SWITCH, &[Of(&[0xe02b, 0]), Va]),
    (nr::FPU_TASKSWITCH, &[Below(2)]),
    (nr::SET_DEBUGREG, &[Below(9), Any]),
    (nr::GET_DEBUGREG, &[Below(9)]),
    (nr::UPDATE_DESCRIPTOR, &[Entry, Any]),
    (nr::MULTICALL, &[Calls, Count]),
    (nr::UPDATE_VA_MAPPING, &[Hole, Pte, Below(8)]),
    (nr::SET_TIMER_OP, &[Soon]),
    (nr::CONSOLE_IO, &[Below(2), Below(32), Buffer]),
    (nr::VM_ASSIST, &[Below(2), Of(&[0, 2, 4, 5, 32])]),
    (
        nr::UPDATE_VA_MAPPING_OTHERDOMAIN,
        &[Hole, Pte, Below(8), Domid],
    ),
    (nr::IRET, &[]),
    (nr::SET_SEGMENT_BASE, &[Below(4), Any]),
    (nr::XENPMU_OP, &[Below(8), Buffer]),
    (nr::MCA, &[Buffer]),
    (
        nr::HYPFS_OP,
        &[
            Of(&[0, 1, 1, 1, 2, 3]),
            Text(PATHS),
            Length,
            Text(&["", "1", "all", "datems", "none"]),
            Of(&[0, 2, 4, 64, 512]),
        ],
    ),
];
