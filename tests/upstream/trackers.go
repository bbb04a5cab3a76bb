// The trackers of k8s.io/endpointslice, driven step by step.
package main

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/endpointslice/util"
)

type trackerStep struct {
	Call    string
	Slice   *discoveryv1.EndpointSlice
	Service *corev1.Service
	Slices  []*discoveryv1.EndpointSlice
}

func tracker(line json.RawMessage) (any, error) {
	var input struct{ Steps []trackerStep }
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	tracker := util.NewEndpointSliceTracker()
	results := []any{}
	for _, step := range input.Steps {
		var result any
		switch step.Call {
		case "update":
			tracker.Update(step.Slice)
		case "expect_deletion":
			tracker.ExpectDeletion(step.Slice)
		case "handle_deletion":
			result = tracker.HandleDeletion(step.Slice)
		case "should_sync":
			result = tracker.ShouldSync(step.Slice)
		case "is_stale":
			result = tracker.StaleSlices(step.Service, step.Slices)
		case "forget":
			tracker.DeleteService(step.Service.Namespace, step.Service.Name)
		default:
			return nil, fmt.Errorf("unknown call %q", step.Call)
		}
		results = append(results, result)
	}
	return map[string]any{"results": results}, nil
}

func triggerTimes(line json.RawMessage) (any, error) {
	var input struct {
		Steps []struct {
			Service *corev1.Service
			Pods    []*corev1.Pod
		}
	}
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	tracker := util.NewTriggerTimeTracker()
	times := []string{}
	for _, step := range input.Steps {
		at := tracker.ComputeEndpointLastChangeTriggerTime(step.Service.Namespace, step.Service, step.Pods)
		text := ""
		if !at.IsZero() {
			text = at.UTC().Format(time.RFC3339Nano)
		}
		times = append(times, text)
	}
	return map[string]any{"times": times}, nil
}

func affected(line json.RawMessage) (any, error) {
	var input struct {
		Services      []*corev1.Service
		Before, After *corev1.Pod
	}
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, service := range input.Services {
		if err := indexer.Add(service); err != nil {
			return nil, err
		}
	}
	var before, after any
	if input.Before != nil {
		before = input.Before
	}
	if input.After != nil {
		after = input.After
	}
	key := util.GetPodUpdateProjectionKey(before, after)
	names := []string{}
	if key != nil {
		found, err := util.GetServicesToUpdate(corelisters.NewServiceLister(indexer), key)
		if err != nil {
			return nil, err
		}
		for name := range found {
			names = append(names, name)
		}
	}
	return map[string]any{"services": names}, nil
}
