//! What a row of the table becomes.

use std::sync::Arc;

/// How a [`Structure`](super::Structure) holds a value: ids in an `Arc`, as they are handed out again and again, commands in a `Box`.
pub(super) trait Held<T>: From<T> {
    fn take(self) -> T;
}

impl<T> Held<T> for Box<T> {
    fn take(self) -> T {
        *self
    }
}

impl<T: Clone> Held<T> for Arc<T> {
    fn take(self) -> T {
        Arc::unwrap_or_clone(self)
    }
}

/// Rows to structs; see the module above.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $code:literal {
        $($(#[$about:meta])* $field:ident: $(@$cached:ident)? $type:ty $(=> $versions:expr)?;)*
    })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
            pub(crate) struct $name {
                $($(#[$about])* pub(crate) $field: $type,)*
            }

            impl Typed for $name {
                type Set = Structure;
                const CODE: u8 = $code;

                fn read_fields(input: &mut Reader<'_>) -> Result<$name, FrameError> {
                    // A struct's fields are evaluated in the order in which they stand here.
                    Ok($name { $($field: read_field!(input $type, $($cached)? ; $($versions)?),)* })
                }

                fn write_fields(&self, out: &mut Writer<'_>) {
                    $(write_field!(out &self.$field, $($cached)? ; $($versions)?);)*
                }

                fn into_structure(self) -> Structure {
                    Structure::$name(self.into())
                }

                fn of_structure(structure: Structure) -> Result<$name, FrameError> {
                    match structure {
                        Structure::$name(it) => Ok(Held::take(it)),
                        other => Err(FrameError::Misplaced(other.code())),
                    }
                }
            }

            #[cfg(test)]
            impl Any for $name {
                fn any(chance: &mut Chance) -> $name {
                    $name { $($field: any_field!(chance $type, $($versions)?),)* }
                }
            }
        )+
    };
}

macro_rules! read_field {
    ($input:ident $type:ty, ;) => {
        <$type as Wire<Structure>>::read($input)?
    };
    ($input:ident $type:ty, cached ;) => {
        <$type as Cached<Structure>>::read_cached($input)?
    };
    ($input:ident $type:ty, $($cached:ident)? ; $versions:expr) => {
        match ($versions).contains(&$input.settings.version) {
            true => read_field!($input $type, $($cached)? ;),
            false => <$type>::default(),
        }
    };
}

/// Any value of a field; none in versions that do not have it.
#[cfg(test)]
macro_rules! any_field {
    ($chance:ident $type:ty,) => {
        <$type as Any>::any($chance)
    };
    ($chance:ident $type:ty, $versions:expr) => {
        match ($versions).contains(&$chance.version) {
            true => <$type as Any>::any($chance),
            false => <$type>::default(),
        }
    };
}

macro_rules! write_field {
    ($out:ident $value:expr, ;) => {
        Wire::write($value, $out)
    };
    ($out:ident $value:expr, cached ;) => {
        Cached::write_cached($value, $out)
    };
    ($out:ident $value:expr, $($cached:ident)? ; $versions:expr) => {
        if ($versions).contains(&$out.settings.version) {
            write_field!($out $value, $($cached)? ;);
        }
    };
}
