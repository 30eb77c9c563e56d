//! Autoscalers by worked cases, in words, and over virtual time.

mod cases;
mod conversations;
mod settled;
mod stage;
