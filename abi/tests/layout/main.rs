//! Sizes and field offsets of the crate's types against numbers that a C
//! compiler printed for the same types of the public headers (Xen 4.20, x86-64).

/// Checks each type's size, and the offset of each of its fields.
macro_rules! layouts {
    ($($ty:ident: $size:literal { $($field:ident: $offset:literal),* })*) => {
        #[test]
        fn layouts() {
            $(
                assert_eq!(core::mem::size_of::<$ty>(), $size, concat!("size of ", stringify!($ty)));
                $(
                    assert_eq!(
                        core::mem::offset_of!($ty, $field),
                        $offset,
                        concat!("offset of ", stringify!($ty), ".", stringify!($field))
                    );
                )*
            )*
        }
    };
}

mod arch_x86_context;
mod argo;
mod callback;
mod domctl_device;
mod domctl_domain;
mod domctl_memory;
mod domctl_monitor;
mod domctl_vcpu;
mod event_channel;
mod grant_table_entry;
mod grant_table_ops;
mod hvm_dm_op;
mod hvm_hvm_op;
mod hvm_ioreq;
mod hvm_save;
mod hvm_save_devices;
mod hvm_start_info;
mod hvm_vcpu;
mod hypfs;
mod io_console;
mod io_xs_wire;
mod kexec;
mod mca;
mod memory_physmap;
mod memory_reservation;
mod memory_sharing;
mod mmu;
mod physdev;
mod platform_firmware;
mod platform_op;
mod platform_power;
mod pmu;
mod sched;
mod shared_info;
mod start_info;
mod sysctl_debug;
mod sysctl_host;
mod sysctl_power;
mod sysctl_sched;
mod trace;
mod vcpu;
mod version;
mod xen;
mod xsm;
