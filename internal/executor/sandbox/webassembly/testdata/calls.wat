;; Calls in both directions.
(module
  (import "script" "f" (func $f (param i32) (result i32)))
  (import "script" "many" (func $many (result i32 i64)))
  (func (export "call") (param i32) (result i32) local.get 0 call $f)
  (func (export "many") (result i32 i64) call $many)
  (func $nested (export "nested") (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then i32.const 0)
      (else (call $f (local.get 0)))))
  (func $frames (export "frames") (param i32 i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (call $f (local.get 1)))
      (else (call $frames (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))))
