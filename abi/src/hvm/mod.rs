//! HVM and PVH guests. `hvm/`, `arch-x86/hvm/`.

pub mod dm_op;
pub mod hvm_op;
pub mod ioreq;
pub mod params;
pub mod save;
pub mod save_devices;
pub mod start_info;
pub mod vcpu;

pub use dm_op::*;
pub use hvm_op::*;
pub use ioreq::*;
pub use params::*;
pub use save::*;
pub use save_devices::*;
pub use start_info::*;
pub use vcpu::*;
