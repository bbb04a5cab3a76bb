// Work on one loaded input, over and over, for benches/bench_reconcile.py and benches/bench_read.py.
package main

import (
	"encoding/json"
	"errors"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/kubernetes/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/endpointslice"
	"k8s.io/endpointslice/topologycache"
	"k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
)

var loaded struct {
	line       json.RawMessage
	input      reconcileInput
	reconciler *endpointslice.Reconciler
}

// load keeps an input, whose slices must be what its Pods want: syncs of it write nothing.
func load(line json.RawMessage) (any, error) {
	loaded.line = append(json.RawMessage(nil), line...)
	loaded.input = reconcileInput{}
	if err := json.Unmarshal(line, &loaded.input); err != nil {
		return nil, err
	}
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, node := range loaded.input.Nodes {
		if err := indexer.Add(node); err != nil {
			return nil, err
		}
	}
	loaded.reconciler = endpointslice.NewReconciler(fake.NewClientset(), corelisters.NewNodeLister(indexer), loaded.input.Max,
		util.NewEndpointSliceTracker(), topologycache.NewTopologyCache(), record.NewFakeRecorder(1000), loaded.input.Controller)
	return map[string]any{}, nil
}

// sync reconciles what was loaded once, from its JSON if asked to. A write would fail, as the API server has no slices.
func sync(line json.RawMessage) (any, error) {
	var question struct{ Decode bool }
	if err := json.Unmarshal(line, &question); err != nil {
		return nil, err
	}
	if loaded.reconciler == nil {
		return nil, errors.New("nothing is loaded")
	}
	input := &loaded.input
	if question.Decode {
		input = &reconcileInput{}
		if err := json.Unmarshal(loaded.line, input); err != nil {
			return nil, err
		}
	}
	err := loaded.reconciler.Reconcile(klog.Background(), input.Service, input.Pods, input.Slices, time.Time{})
	return map[string]any{}, err
}

var kept json.RawMessage

// keep keeps an array of slices as JSON.
func keep(line json.RawMessage) (any, error) {
	var input struct{ Slices json.RawMessage }
	err := json.Unmarshal(line, &input)
	kept = input.Slices
	return map[string]any{}, err
}

// decode reads the slices that are kept, as a client of the API does.
func decode(json.RawMessage) (any, error) {
	var slices []*discoveryv1.EndpointSlice
	if err := json.Unmarshal(kept, &slices); err != nil {
		return nil, err
	}
	if len(slices) == 0 {
		return nil, errors.New("nothing is kept")
	}
	return map[string]any{}, nil
}
