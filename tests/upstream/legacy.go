// The Endpoints controller and the EndpointSliceMirroring controller of k8s.io/kubernetes against a fake API server.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"sort"
	"unsafe" // for go:linkname too

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/api/v1/endpoints"
	"k8s.io/kubernetes/pkg/controller/endpoint"
	"k8s.io/kubernetes/pkg/controller/endpointslicemirroring"
)

// One sync of either controller is a private method.
//
//go:linkname syncService k8s.io/kubernetes/pkg/controller/endpoint.(*Controller).syncService
func syncService(controller *endpoint.Controller, ctx context.Context, key string) error

//go:linkname syncEndpoints k8s.io/kubernetes/pkg/controller/endpointslicemirroring.(*Controller).syncEndpoints
func syncEndpoints(controller *endpointslicemirroring.Controller, ctx context.Context, key string) error

// repack answers with the canonical form of subsets.
func repack(line json.RawMessage) (any, error) {
	var input struct{ Subsets []corev1.EndpointSubset }
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	return map[string]any{"subsets": endpoints.RepackSubsets(input.Subsets)}, nil
}

// buildEndpoints answers with what the Endpoints controller writes for a Service.
func buildEndpoints(line json.RawMessage) (any, error) {
	var input struct {
		Service  *corev1.Service
		Pods     []*corev1.Pod
		Existing *corev1.Endpoints
	}
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	if input.Service == nil {
		return nil, errors.New("needs a service")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client := newClient()
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	controller := endpoint.NewEndpointController(ctx, core.Pods(), core.Services(), core.Endpoints(), client, 0)
	if err := core.Services().Informer().GetIndexer().Add(input.Service); err != nil {
		return nil, err
	}
	for _, pod := range input.Pods {
		if err := core.Pods().Informer().GetIndexer().Add(pod); err != nil {
			return nil, err
		}
	}
	if input.Existing != nil {
		if err := core.Endpoints().Informer().GetIndexer().Add(input.Existing); err != nil {
			return nil, err
		}
		if err := client.Tracker().Add(input.Existing.DeepCopy()); err != nil {
			return nil, err
		}
	}
	answer := map[string]any{"verb": nil, "object": nil}
	client.PrependReactor("*", "endpoints", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action, isWrite := action.(clienttesting.UpdateAction); isWrite { // a create has the same methods
			answer["verb"], answer["object"] = action.GetVerb(), action.GetObject().DeepCopyObject()
		}
		return false, nil, nil
	})
	if err := syncService(controller, ctx, input.Service.Namespace+"/"+input.Service.Name); err != nil {
		return nil, err
	}
	return answer, nil
}

type mirrorInput struct {
	Service   *corev1.Service
	Endpoints *corev1.Endpoints
	Slices    []*discoveryv1.EndpointSlice
	Namespace string
	Name      string
	Max       int32
}

// mirror answers with what the mirroring controller writes, and what is there afterwards.
func mirror(line json.RawMessage) (any, error) {
	var input mirrorInput
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	found := outcome{Writes: []write{}, Slices: []*discoveryv1.EndpointSlice{}, Events: []string{}, Errors: []string{}}
	client := newClient()
	factory := informers.NewSharedInformerFactory(client, 0)
	core, slices := factory.Core().V1(), factory.Discovery().V1().EndpointSlices()
	controller := endpointslicemirroring.NewController(ctx, core.Endpoints(), slices, core.Services(), input.Max, client, 0)
	events := record.NewFakeRecorder(1000)
	replaceRecorder(controller, events)
	if input.Service != nil {
		if err := core.Services().Informer().GetIndexer().Add(input.Service); err != nil {
			return nil, err
		}
	}
	if input.Endpoints != nil {
		if err := core.Endpoints().Informer().GetIndexer().Add(input.Endpoints); err != nil {
			return nil, err
		}
	}
	for _, slice := range input.Slices {
		if err := slices.Informer().GetIndexer().Add(slice); err != nil {
			return nil, err
		}
		if err := client.Tracker().Add(slice.DeepCopy()); err != nil {
			return nil, err
		}
	}
	recordWrites(client, &found)
	found.Errors = append(found.Errors, flatten(syncEndpoints(controller, ctx, input.Namespace+"/"+input.Name))...)
	close(events.Events)
	for event := range events.Events {
		found.Events = append(found.Events, event)
	}
	list, err := client.DiscoveryV1().EndpointSlices(input.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	sort.Slice(list.Items, func(i, j int) bool { return list.Items[i].Name < list.Items[j].Name })
	for i := range list.Items {
		found.Slices = append(found.Slices, &list.Items[i])
	}
	return found, nil
}

// replaceRecorder lets us see the Events, which the controller sends only while it runs.
func replaceRecorder(controller *endpointslicemirroring.Controller, recorder record.EventRecorder) {
	field := reflect.ValueOf(controller).Elem().FieldByName("reconciler").Elem().FieldByName("eventRecorder")
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(recorder))
}
