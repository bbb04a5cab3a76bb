package main

import (
	"context"
	"encoding/json"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/discovery"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	strategy "k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
)

type violation struct {
	Path  string          `json:"path"`
	Type  field.ErrorType `json:"type"`
	Value any             `json:"value"`
}

// validate answers what the API server would refuse of a slice that is posted to it, after defaults and conversion.
func validate(line json.RawMessage) (any, error) {
	var input struct{ Slice json.RawMessage }
	if err := json.Unmarshal(line, &input); err != nil {
		return nil, err
	}
	var posted discoveryv1.EndpointSlice
	if err := json.Unmarshal(input.Slice, &posted); err != nil {
		return map[string]string{"unreadable": err.Error()}, nil
	}
	if posted.Namespace == "" {
		posted.Namespace = metav1.NamespaceDefault
	}
	legacyscheme.Scheme.Default(&posted)
	var slice discovery.EndpointSlice
	if err := legacyscheme.Scheme.Convert(&posted, &slice, nil); err != nil {
		return nil, err
	}
	ctx := genericapirequest.WithRequestInfo(context.Background(),
		&genericapirequest.RequestInfo{APIGroup: discoveryv1.GroupName, APIVersion: "v1", Verb: "create"})
	// As rest.BeforeCreate does; what is wrong with the prefix is told of the prefix.
	if slice.Name == "" && slice.GenerateName != "" {
		slice.Name = names.SimpleNameGenerator.GenerateName("generated-")
	}
	generation := slice.Generation
	strategy.Strategy.PrepareForCreate(ctx, &slice)
	slice.Generation = generation
	violations := []violation{}
	for _, err := range strategy.Strategy.Validate(ctx, &slice) {
		value := err.BadValue
		if _, isText := value.(string); !isText {
			value = nil
		}
		violations = append(violations, violation{err.Field, err.Type, value})
	}
	return map[string]any{"violations": violations}, nil
}
