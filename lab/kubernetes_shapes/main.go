// Prints what Kubernetes' own objects are made of, as src/salvage/kubernetes_shapes.json has it: for each
// message the numbers of its fields, with their names and types in JSON. Run when Kubernetes is updated:
//
//	cd lab/kubernetes_shapes && go run . > ../../src/salvage/kubernetes_shapes.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// Messages that JSON writes in a form of its own.
var special = map[string]string{
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":       "T",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":  "T",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":   "D",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":   "R",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":   "Q",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString": "O",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":    "R",
}

type printer struct {
	numbers map[reflect.Type]int
	types   []string
}

func main() {
	p := &printer{numbers: map[reflect.Type]int{}}
	kinds := map[string]int{}
	known := scheme.Scheme.AllKnownTypes()
	var order []string
	byName := map[string]reflect.Type{}
	for kind, t := range known {
		if kind.Version == runtime.APIVersionInternal || strings.HasSuffix(kind.Kind, "List") {
			continue
		}
		meta, found := t.FieldByName("ObjectMeta")
		if !found || !meta.Anonymous {
			continue
		}
		version, name := kind.ToAPIVersionAndKind()
		order = append(order, version+" "+name)
		byName[version+" "+name] = t
	}
	sort.Strings(order)
	for _, name := range order {
		kinds[name] = p.number(byName[name])
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(map[string]any{"kinds": kinds, "types": p.types}); err != nil {
		panic(err)
	}
}

// A message's place in the list; its fields are "NUMBER NAME TYPE", by commas.
func (p *printer) number(t reflect.Type) int {
	if number, found := p.numbers[t]; found {
		return number
	}
	number := len(p.types)
	p.numbers[t] = number
	p.types = append(p.types, "")
	var fields []string
	for i := range t.NumField() {
		field := t.Field(i)
		tag := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(tag) < 2 {
			continue
		}
		parts := strings.Split(field.Tag.Get("json"), ",")
		name := parts[0]
		fields = append(fields, fmt.Sprintf("%s %s %s", tag[1], name, p.field(field.Type, tag[0], strings.Contains(field.Tag.Get("json"), "omit"))))
	}
	p.types[number] = strings.Join(fields, ",")
	return number
}

func (p *printer) field(t reflect.Type, wire string, omits bool) string {
	if t.Kind() == reflect.Pointer {
		return p.code(t.Elem(), wire)
	}
	code := p.code(t, wire)
	// Written though it is empty, which JSON leaves out.
	if omits || t.Kind() == reflect.Struct {
		return code + "?"
	}
	return code
}

func (p *printer) code(t reflect.Type, wire string) string {
	if code, found := special[t.PkgPath()+"."+t.Name()]; found {
		return code
	}
	switch t.Kind() {
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "i"
	case reflect.Float64:
		return "d"
	case reflect.Pointer:
		return p.code(t.Elem(), wire)
	case reflect.Map:
		return "%" + p.code(t.Elem(), wire)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		// A list that is a message of its own, of items.
		if _, found := reflect.PointerTo(t).MethodByName("ProtoMessage"); found {
			return "V" + p.code(t.Elem(), wire)
		}
		return "*" + p.code(t.Elem(), wire)
	case reflect.Struct:
		return fmt.Sprintf("m%d", p.number(t))
	}
	panic("no code for " + t.String())
}
