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
mod callback;
mod event_channel;
mod grant_table_entry;
mod grant_table_ops;
mod memory_physmap;
mod memory_reservation;
mod memory_sharing;
mod mmu;
mod physdev;
mod platform_firmware;
mod platform_op;
mod platform_power;
mod sched;
mod shared_info;
mod start_info;
mod vcpu;
mod version;
mod xen;
