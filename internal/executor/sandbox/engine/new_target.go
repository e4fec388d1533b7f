package engine

import (
	"reflect"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/token"
)

// The engine leaves new.target as it was when a function calls another one (goja, func.go, vmCall): what a
// constructor calls sees the constructor's, where ECMA-262, 10.2.1 says undefined. So a read is replaced:
//
//   - in methods, getters, setters, generators and async functions, which cannot construct, by undefined
//   - in functions by what a native function makes of it, which looks whether the call was one of new
//   - in constructors of classes, which only new can call, by nothing
//
// Arrow functions have that of the function around them.

const newTargetText = "new.target"

// Names of what the mended code reads. No code can have them, as they are no identifiers.
const (
	constructedBy = "constructed by" // the native function, a parameter of the program's function
	ownNewTarget  = "own new.target" // a function's new.target, a constant at the beginning of its body
)

// mendNewTarget replaces the reads of new.target in a program.
func mendNewTarget(tree *ast.Program) {
	outer := onlyFunction(tree)
	if outer == nil {
		return
	}

	walkNewTargets(reflect.ValueOf(tree.Body), keepNewTarget)
	outer.ParameterList.List = append(outer.ParameterList.List,
		&ast.Binding{Target: &ast.Identifier{Name: constructedBy, Idx: outer.ParameterList.Closing}})
}

// onlyFunction is the function expression that a program consists of, or nil.
func onlyFunction(tree *ast.Program) *ast.FunctionLiteral {
	if len(tree.Body) != 1 {
		return nil
	}
	statement, _ := tree.Body[0].(*ast.ExpressionStatement)
	if statement == nil {
		return nil
	}

	f, _ := statement.Expression.(*ast.FunctionLiteral)
	return f
}

// newTargetReader gives what a read is replaced by; nil leaves it as it is.
type newTargetReader func(*ast.MetaProperty) ast.Expression

func keepNewTarget(*ast.MetaProperty) ast.Expression { return nil }

func noNewTarget(read *ast.MetaProperty) ast.Expression {
	zero := &ast.NumberLiteral{Idx: read.Idx, Literal: "0", Value: int64(0)}
	return &ast.UnaryExpression{Operator: token.VOID, Idx: read.Idx, Operand: zero}
}

// checkedNewTarget asks the native function, which must be called by the function itself.
func checkedNewTarget(read *ast.MetaProperty) ast.Expression {
	return &ast.CallExpression{
		Callee:           &ast.Identifier{Name: constructedBy, Idx: read.Idx},
		LeftParenthesis:  read.Idx,
		ArgumentList:     []ast.Expression{read},
		RightParenthesis: read.Idx,
	}
}

// walkNewTargets replaces the reads below a node, whatever it is.
func walkNewTargets(v reflect.Value, read newTargetReader) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		meta, isMeta := v.Interface().(*ast.MetaProperty)
		if !isMeta {
			walkNewTargets(v.Elem(), read)
		} else if replaced := read(meta); replaced != nil {
			v.Set(reflect.ValueOf(replaced))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			walkNode(v, read)
		}
	case reflect.Struct:
		walkFields(v, read)
	case reflect.Slice:
		for k := range v.Len() {
			walkNewTargets(v.Index(k), read)
		}
	}
}

// walkNode is walkNewTargets of a node that may be a function, which has a new.target of its own.
func walkNode(v reflect.Value, read newTargetReader) {
	switch node := v.Interface().(type) {
	case *file.File:
	case *ast.FunctionLiteral:
		walkFunction(node)
	case *ast.MethodDefinition:
		walkNewTargets(reflect.ValueOf(&node.Key).Elem(), read)
		walkMethod(node.Body, isConstructor(node))
	case *ast.PropertyKeyed:
		walkNewTargets(reflect.ValueOf(&node.Key).Elem(), read)
		if method, ok := node.Value.(*ast.FunctionLiteral); ok && node.Kind != ast.PropertyKindValue {
			walkMethod(method, false)
		} else {
			walkNewTargets(reflect.ValueOf(&node.Value).Elem(), read)
		}
	case *ast.FieldDefinition:
		walkNewTargets(reflect.ValueOf(&node.Key).Elem(), read)
		walkNewTargets(reflect.ValueOf(&node.Initializer).Elem(), keepNewTarget)
	case *ast.ClassStaticBlock:
		walkNewTargets(reflect.ValueOf(node.Block), noNewTarget)
	default:
		walkFields(v.Elem(), read)
	}
}

// walkFields is walkNewTargets of what a node consists of. A DeclarationList has nothing but pointers to
// what is elsewhere too.
func walkFields(v reflect.Value, read newTargetReader) {
	if v.Kind() != reflect.Struct {
		return
	}

	for k := range v.NumField() {
		if f := v.Type().Field(k); f.IsExported() && f.Name != "DeclarationList" {
			walkNewTargets(v.Field(k), read)
		}
	}
}

func isConstructor(m *ast.MethodDefinition) bool {
	if m.Static || m.Computed || m.Kind != ast.PropertyKindMethod {
		return false
	}

	switch key := m.Key.(type) {
	case *ast.StringLiteral:
		return key.Value == "constructor"
	case *ast.Identifier:
		return key.Name == "constructor"
	default:
		return false
	}
}

func walkMethod(f *ast.FunctionLiteral, isConstructor bool) {
	read := noNewTarget
	if isConstructor {
		read = keepNewTarget
	}
	walkNewTargets(reflect.ValueOf(f.ParameterList), read)
	walkNewTargets(reflect.ValueOf(f.Body), read)
}

// walkFunction is walkNewTargets of a function. Its body reads new.target once, so that arrow functions have
// it too. Those in the defaults of parameters, which are evaluated before, are left as they are.
func walkFunction(f *ast.FunctionLiteral) {
	if f.Async || f.Generator {
		walkMethod(f, false)
		return
	}

	walkNewTargets(reflect.ValueOf(f.ParameterList), checkedNewTarget)

	var first *ast.MetaProperty
	walkNewTargets(reflect.ValueOf(f.Body), func(read *ast.MetaProperty) ast.Expression {
		if first == nil {
			first = read
		}
		return &ast.Identifier{Name: ownNewTarget, Idx: read.Idx}
	})
	if first == nil {
		return
	}

	own := &ast.LexicalDeclaration{
		Idx:   first.Idx,
		Token: token.CONST,
		List: []*ast.Binding{{
			Target:      &ast.Identifier{Name: ownNewTarget, Idx: first.Idx},
			Initializer: checkedNewTarget(first),
		}},
	}
	f.Body.List = append([]ast.Statement{own}, f.Body.List...)
}

// callStackFields is where the engine keeps its calls, as reflect counts fields.
type callStackFields struct{ vm, stack, pc []int }

var callStack = sync.OnceValue(func() *callStackFields {
	vm, ok1 := reflect.TypeFor[goja.Runtime]().FieldByName("vm")
	if !ok1 || vm.Type.Kind() != reflect.Pointer {
		return nil
	}
	stack, ok2 := vm.Type.Elem().FieldByName("callStack")
	if !ok2 || stack.Type.Kind() != reflect.Slice || stack.Type.Elem().Kind() != reflect.Struct {
		return nil
	}
	pc, ok3 := stack.Type.Elem().FieldByName("pc")
	if !ok3 || pc.Type.Kind() != reflect.Int {
		return nil
	}

	return &callStackFields{vm.Index, stack.Index, pc.Index}
})

// entryPC marks, in the engine's list of calls, that what comes next was called by native code: by new,
// Reflect.construct, call and apply, which set new.target, and not by a call in the code, which does not.
const entryPC = -2

// ConstructedBy makes the native function that programs which Compile has made get as an argument: it gives
// its argument, new.target as the engine has it in the function that calls it, or undefined if that function
// was called without new.
func ConstructedBy(vm *goja.Runtime) *goja.Object {
	fields := callStack()

	return vm.ToValue(func(c goja.FunctionCall) goja.Value {
		target := c.Argument(0)
		if fields == nil || goja.IsUndefined(target) {
			return target
		}

		calls := reflect.ValueOf(vm).Elem().FieldByIndex(fields.vm).Elem().FieldByIndex(fields.stack)
		caller := calls.Len() - 2 // the last one is the function that calls
		if caller < 0 || calls.Index(caller).FieldByIndex(fields.pc).Int() != entryPC {
			return goja.Undefined()
		}
		return target
	}).(*goja.Object)
}
