//! Who may come in, and what each may do: users, groups, rights by destination, TLS for those who come in. Pure but for
//! [`Logins`], which works passwords off, and [`ServerTls`], which reads files. Names no protocol.

mod account;
mod hash;
mod login;
mod password;
mod permission;
mod properties;
mod rights;
mod throttle;
mod tls;
mod users;

pub use account::{ANONYMOUS, Account, Denied};
pub use hash::{Hash, HashError};
pub use login::{Login, LoginError, Logins};
pub use password::Password;
pub use permission::{EVERYBODY, Permission};
pub use properties::{PropertyLine, parse as parse_properties};
pub use rights::{Rights, Rule, RuleError, Ruling, Target};
pub use tls::{ClientCertificate, ServerTls, ServerTlsError, subject};
pub use users::{User, Users};
