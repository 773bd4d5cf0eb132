//! Answers to commands: `correlation_id` is the number of the command.

#[cfg(test)]
use crate::protocol::openwire::codec::chance::{Any, Chance};
use crate::protocol::openwire::codec::coded::Coded;
use crate::protocol::openwire::codec::error::FrameError;
use crate::protocol::openwire::codec::throwable::Throwable;
use crate::protocol::openwire::codec::wire::{Typed, Wire};

use super::rows::Held;
use super::{Reader, Structure, Writer};

rows! {
    /// Done.
    Response = 30 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
    }
    /// Not done, and why.
    ExceptionResponse = 31 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        exception: Option<Throwable>;
    }
    /// Done, with data.
    DataResponse = 32 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        data: Option<Box<Structure>>;
    }
    /// Done, with several data.
    DataArrayResponse = 33 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        data: Option<Vec<Structure>>;
    }
    /// Done, with a number.
    IntegerResponse = 34 {
        command_id: i32;
        response_required: bool;
        correlation_id: i32;
        result: i32;
    }
}
