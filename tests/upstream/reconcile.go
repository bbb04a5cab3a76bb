// The reconciler of k8s.io/endpointslice against a fake API server.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/endpointslice"
	"k8s.io/endpointslice/topologycache"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
)

type reconcileInput struct {
	Service     *corev1.Service
	Pods        []*corev1.Pod
	Nodes       []*corev1.Node
	Slices      []*discoveryv1.EndpointSlice
	Max         int32
	TriggerTime string
	Controller  string
	Hints       map[discoveryv1.AddressType]topologycache.EndpointZoneInfo
	Repeat      int
}

type write struct {
	Verb   string                     `json:"verb"`
	Name   string                     `json:"name"`
	Object *discoveryv1.EndpointSlice `json:"object"`
}

type outcome struct {
	Writes     []write                      `json:"writes"`
	Slices     []*discoveryv1.EndpointSlice `json:"slices"`
	Events     []string                     `json:"events"`
	Errors     []string                     `json:"errors"`
	Populated  bool                         `json:"populated"`
	Overloaded bool                         `json:"overloaded"`
}

// reconcile runs the library several times, as it depends on the order of Go's maps, and returns each different outcome once.
func reconcile(line json.RawMessage) (any, error) {
	var input reconcileInput
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	if input.Service == nil || input.Max < 1 {
		return nil, errors.New("needs a service, and max of at least 1")
	}
	clearTypes(&input)
	seen := map[string]bool{}
	runs := []outcome{}
	for range max(input.Repeat, 1) {
		found, err := reconcileOnce(&input)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(found)
		if err != nil {
			return nil, err
		}
		if !seen[string(text)] {
			seen[string(text)] = true
			runs = append(runs, found)
		}
	}
	return map[string]any{"runs": runs}, nil
}

// clearTypes does what informers do: kind and apiVersion are not part of what they hand out.
func clearTypes(input *reconcileInput) {
	input.Service.TypeMeta = metav1.TypeMeta{}
	for _, pod := range input.Pods {
		pod.TypeMeta = metav1.TypeMeta{}
	}
	for _, node := range input.Nodes {
		node.TypeMeta = metav1.TypeMeta{}
	}
	for _, slice := range input.Slices {
		slice.TypeMeta = metav1.TypeMeta{}
	}
}

func reconcileOnce(input *reconcileInput) (outcome, error) {
	found := outcome{Writes: []write{}, Slices: []*discoveryv1.EndpointSlice{}, Events: []string{}, Errors: []string{}}
	client := newClient()
	existing := make([]*discoveryv1.EndpointSlice, len(input.Slices))
	for i, slice := range input.Slices {
		existing[i] = slice.DeepCopy()
		if err := client.Tracker().Add(slice.DeepCopy()); err != nil {
			return found, err
		}
	}
	recordWrites(client, &found)
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, node := range input.Nodes {
		if err := indexer.Add(node); err != nil {
			return found, err
		}
	}
	var trigger time.Time
	if input.TriggerTime != "" {
		parsed, err := time.Parse(time.RFC3339Nano, input.TriggerTime)
		if err != nil {
			return found, err
		}
		trigger = parsed
	}
	key := input.Service.Namespace + "/" + input.Service.Name
	topology := topologycache.NewTopologyCache()
	topology.SetNodes(klog.Background(), input.Nodes)
	for family, zones := range input.Hints {
		topology.SetHints(key, family, zones)
	}
	events := record.NewFakeRecorder(1000)
	reconciler := endpointslice.NewReconciler(client, corelisters.NewNodeLister(indexer), input.Max, util.NewEndpointSliceTracker(),
		topology, events, input.Controller, endpointslice.WithPreferSameTrafficDistributionEnabled(true))
	err := reconciler.Reconcile(klog.Background(), input.Service.DeepCopy(), input.Pods, existing, trigger)
	found.Errors = append(found.Errors, flatten(err)...)
	close(events.Events)
	for event := range events.Events {
		found.Events = append(found.Events, event)
	}
	found.Populated = topology.HasPopulatedHints(key)
	for _, overloaded := range topology.GetOverloadedServices() {
		found.Overloaded = found.Overloaded || overloaded == key
	}
	list, err := client.Tracker().List(discoveryv1.SchemeGroupVersion.WithResource("endpointslices"),
		discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), input.Service.Namespace)
	if err != nil {
		return found, err
	}
	items := list.(*discoveryv1.EndpointSliceList).Items
	sort.Slice(items, func(i, j int) bool { return items[i].Name < items[j].Name })
	for i := range items {
		found.Slices = append(found.Slices, &items[i])
	}
	return found, nil
}

// newClient keeps objects as they come. A client that manages fields as well, which nobody looks at here, takes most of the time.
func newClient() *fake.Clientset {
	return fake.NewSimpleClientset()
}

// recordWrites notes each call, and names new slices as an API server does.
func recordWrites(client *fake.Clientset, found *outcome) {
	client.PrependReactor("*", "endpointslices", func(action clienttesting.Action) (bool, runtime.Object, error) {
		switch action := action.(type) {
		case clienttesting.UpdateAction: // a create has the same methods
			slice := action.GetObject().(*discoveryv1.EndpointSlice)
			if slice.Name == "" {
				slice.Name = fmt.Sprintf("%snew%04d", slice.GenerateName, len(found.Writes))
			}
			found.Writes = append(found.Writes, write{action.GetVerb(), slice.Name, slice.DeepCopy()})
		case clienttesting.DeleteAction:
			found.Writes = append(found.Writes, write{action.GetVerb(), action.GetName(), nil})
		}
		return false, nil, nil
	})
}

func flatten(err error) []string {
	if err == nil {
		return nil
	}
	var many utilerrors.Aggregate
	if !errors.As(err, &many) {
		return []string{err.Error()}
	}
	texts := []string{}
	for _, one := range utilerrors.Flatten(many).Errors() {
		texts = append(texts, one.Error())
	}
	return texts
}
