// Package world is a cluster as the scenarios see it: objects are made of text, waited for by watching them, and what pods
// take is what the kubelet says.
package world

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

const manager = "lychgate-bench"

// Object is one of any kind.
type Object = *unstructured.Unstructured

// Item is one of a list.
type Item = unstructured.Unstructured

// World is a cluster.
type World struct {
	client dynamic.Interface
	web    *http.Client
	host   string
}

// Connect to the cluster of a kubeconfig.
func Connect(kubeconfig string) (*World, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("KUBECONFIG: %w", err)
	}
	// What is measured is not to be our own patience.
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	web, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return &World{client: client, web: web, host: strings.TrimSuffix(config.Host, "/")}, nil
}

// Parse makes an object of a text with the verbs of fmt.
func Parse(text string, arguments ...any) (Object, error) {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(fmt.Appendf(nil, text, arguments...), &object.Object); err != nil {
		return nil, fmt.Errorf("%w in %s", err, text)
	}
	return object, nil
}

// Kind names where objects of a kind are.
type Kind struct{ Version, Kind string }

// Kinds that scenarios ask for.
var (
	Event         = Kind{"v1", "Event"}
	ClusterRole   = Kind{"rbac.authorization.k8s.io/v1", "ClusterRole"}
	Definition    = Kind{"apiextensions.k8s.io/v1", "CustomResourceDefinition"}
	Policy        = Kind{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"}
	Webhook       = Kind{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"}
	PolicyBinding = Kind{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"}

	Gateway      = Kind{"gateway.networking.k8s.io/v1", "Gateway"}
	HTTPRoute    = Kind{"gateway.networking.k8s.io/v1", "HTTPRoute"}
	TLSRoute     = Kind{"gateway.networking.k8s.io/v1", "TLSRoute"}
	ListenerSet  = Kind{"gateway.networking.k8s.io/v1", "ListenerSet"}
	EgressPolicy = Kind{"lychgate.dev/v1alpha1", "EgressPolicy"}
	Parameters   = Kind{"lychgate.dev/v1alpha1", "GatewayParameters"}
	Deployment   = Kind{"apps/v1", "Deployment"}
	Slice        = Kind{"discovery.k8s.io/v1", "EndpointSlice"}
	Lease        = Kind{"coordination.k8s.io/v1", "Lease"}
	Namespace    = Kind{"v1", "Namespace"}
	Node         = Kind{"v1", "Node"}
	Pod          = Kind{"v1", "Pod"}
	Secret       = Kind{"v1", "Secret"}
	Service      = Kind{"v1", "Service"}
)

// Plurals that are not what one would guess of English.
var plurals = map[string]string{"Gateway": "gateways", "GatewayParameters": "gatewayparameters"}

func (w *World) at(kind Kind, namespace string) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(kind.Version, kind.Kind))
	if unguessed, ok := plurals[kind.Kind]; ok {
		plural.Resource = unguessed
	}
	if namespace == "" {
		return w.client.Resource(plural)
	}
	return w.client.Resource(plural).Namespace(namespace)
}

func kindOf(object Object) Kind { return Kind{object.GetAPIVersion(), object.GetKind()} }

// Apply makes an object as the text says, or makes the one that is there so.
func (w *World) Apply(ctx context.Context, text string, arguments ...any) (Object, error) {
	object, err := Parse(text, arguments...)
	if err != nil {
		return nil, err
	}
	return w.at(kindOf(object), object.GetNamespace()).
		Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: manager, Force: true})
}

// Create makes an object.
func (w *World) Create(ctx context.Context, object Object) error {
	_, err := w.at(kindOf(object), object.GetNamespace()).Create(ctx, object, metav1.CreateOptions{FieldManager: manager})
	return err
}

// Update writes an object over the one that is there.
func (w *World) Update(ctx context.Context, object Object) error {
	_, err := w.at(kindOf(object), object.GetNamespace()).Update(ctx, object, metav1.UpdateOptions{FieldManager: manager})
	return err
}

// Get reads an object.
func (w *World) Get(ctx context.Context, kind Kind, namespace, name string) (Object, error) {
	return w.at(kind, namespace).Get(ctx, name, metav1.GetOptions{})
}

// List reads those with labels.
func (w *World) List(ctx context.Context, kind Kind, namespace, selector string) ([]unstructured.Unstructured, error) {
	list, err := w.at(kind, namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Delete removes an object, also if it is not there.
func (w *World) Delete(ctx context.Context, kind Kind, namespace, name string) error {
	err := w.at(kind, namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// DeleteAll removes all of a kind in a namespace that have a label.
func (w *World) DeleteAll(ctx context.Context, kind Kind, namespace, selector string) error {
	return w.at(kind, namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector})
}

// Scale says how many pods a Deployment shall have.
func (w *World) Scale(ctx context.Context, namespace, name string, replicas int) error {
	return w.patch(ctx, Deployment, namespace, name, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

// Restart replaces the pods of a Deployment one after the other, as `kubectl rollout restart` does.
func (w *World) Restart(ctx context.Context, namespace, name, mark string) error {
	return w.patch(ctx, Deployment, namespace, name,
		fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"lychgate.dev/bench":%q}}}}}`, mark))
}

func (w *World) patch(ctx context.Context, kind Kind, namespace, name, patch string) error {
	_, err := w.at(kind, namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager})
	return err
}

// RolledOut waits until a Deployment has all pods that it shall have, and no others.
func (w *World) RolledOut(ctx context.Context, namespace, name string) error {
	return w.Until(ctx, Deployment, namespace, name, "rolled out", func(object Object) bool {
		number := func(fields ...string) int64 {
			found, _, _ := unstructured.NestedInt64(object.Object, fields...)
			return found
		}
		wanted := number("spec", "replicas")
		return number("status", "observedGeneration") >= object.GetGeneration() &&
			number("status", "updatedReplicas") == wanted && number("status", "replicas") == wanted &&
			number("status", "availableReplicas") == wanted
	})
}

// Condition is what a condition says: "True", "False", or "" where it is not there.
func Condition(conditions []any, kind string) string {
	status, _ := Said(conditions, kind)
	return status
}

// Said is the same with its message.
func Said(conditions []any, kind string) (status, message string) {
	for _, one := range conditions {
		if condition, ok := one.(map[string]any); ok && condition["type"] == kind {
			status, _ = condition["status"].(string)
			message, _ = condition["message"].(string)
			return status, message
		}
	}
	return "", ""
}

// Conditions are those of an object itself.
func Conditions(object Object) []any {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	return conditions
}

// At is what an object has at a path; nil where that is nothing.
func At(object Object, path ...string) any {
	found, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
	return found
}

// Ready waits until a Gateway is served and has an address, and tells it.
func (w *World) Ready(ctx context.Context, namespace, name string) (string, error) {
	var address string
	err := w.Until(ctx, Gateway, namespace, name, "served at an address", func(object Object) bool {
		addresses, _, _ := unstructured.NestedSlice(object.Object, "status", "addresses")
		if len(addresses) == 0 {
			return false
		}
		first, _ := addresses[0].(map[string]any)
		address, _ = first["value"].(string)
		return address != "" && Condition(Conditions(object), "Programmed") == "True"
	})
	return address, err
}

// Attached is what a Gateway or ListenerSet says of its only listener; -1 where it says nothing.
func Attached(object Object) int64 {
	listeners, _, _ := unstructured.NestedSlice(object.Object, "status", "listeners")
	if len(listeners) == 0 {
		return -1
	}
	first, _ := listeners[0].(map[string]any)
	attached, ok := first["attachedRoutes"].(int64)
	if !ok {
		return -1
	}
	return attached
}

// Accepted tells whether any parent of a route has taken it, with all references resolved.
func Accepted(object Object) bool {
	parents, _, _ := unstructured.NestedSlice(object.Object, "status", "parents")
	for _, one := range parents {
		parent, _ := one.(map[string]any)
		conditions, _ := parent["conditions"].([]any)
		if Condition(conditions, "Accepted") == "True" && Condition(conditions, "ResolvedRefs") == "True" {
			return true
		}
	}
	return false
}

// Leader is the pod that holds the control plane's Lease.
func (w *World) Leader(ctx context.Context, namespace, lease string) (string, error) {
	object, err := w.Get(ctx, Lease, namespace, lease)
	if err != nil {
		return "", err
	}
	holder, _, _ := unstructured.NestedString(object.Object, "spec", "holderIdentity")
	if holder == "" {
		return "", errors.New("nobody leads")
	}
	// A container that starts again is another holder in the same pod.
	pod, _, _ := strings.Cut(holder, "_")
	return pod, nil
}
