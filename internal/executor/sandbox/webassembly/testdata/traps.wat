;; Every trap there is.
(module
  (memory 1)
  (type $nothing (func))
  (type $one (func (result i32)))
  (func $one (type $one) i32.const 1)
  (table 3 funcref)
  (elem (i32.const 0) $one)
  (func (export "unreachable") unreachable)
  (func (export "divide") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s)
  (func (export "truncate") (param f64) (result i32) local.get 0 i32.trunc_f64_s)
  (func (export "load") (param i32) (result i32) local.get 0 i32.load)
  (func (export "indirect") (param i32) local.get 0 call_indirect (type $nothing))
  (func $deep (export "deep") (param i32) (result i32) local.get 0 i32.const 1 i32.add call $deep))
