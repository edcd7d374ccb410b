package world

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// Until waits until an object is so. An API server that is away does not end the wait; the end of the context does.
func (w *World) Until(ctx context.Context, kind Kind, namespace, name, what string, isSo func(Object) bool) error {
	var last Object
	err := w.Follow(ctx, kind, namespace, name, func(object Object) bool {
		last = object
		return !isSo(object)
	})
	if err != nil {
		said := "it is not there"
		if last != nil {
			said = fmt.Sprint(last.Object["status"])
		}
		return fmt.Errorf("%s %s/%s does not come to be %s: %w; it says %.1000s", kind.Kind, namespace, name, what, err, said)
	}
	return nil
}

// Follow shows an object as it is and each version that it has from then on, until `see` says that this is enough.
func (w *World) Follow(ctx context.Context, kind Kind, namespace, name string, see func(Object) bool) error {
	only := fields.OneTermEqualSelector("metadata.name", name).String()
	for ctx.Err() == nil {
		list, err := w.at(kind, namespace).List(ctx, metav1.ListOptions{FieldSelector: only})
		if err != nil {
			pause(ctx)
			continue
		}
		for _, object := range list.Items {
			if !see(&object) {
				return nil
			}
		}
		changes, err := w.at(kind, namespace).Watch(ctx, metav1.ListOptions{FieldSelector: only, ResourceVersion: list.GetResourceVersion()})
		if err != nil {
			pause(ctx)
			continue
		}
		done := false
		for change := range changes.ResultChan() {
			object, ok := change.Object.(*unstructured.Unstructured)
			if !ok || change.Type == watch.Error {
				break
			}
			if done = !see(object); done {
				break
			}
		}
		changes.Stop()
		if done {
			return nil
		}
		pause(ctx)
	}
	return ctx.Err()
}
