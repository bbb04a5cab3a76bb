// What a sync needs as lists in protobuf, as clients of the API get them, for benches/.
package main

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

type encodedInput struct {
	Service []byte `json:"service"`
	Pods    []byte `json:"pods"`
	Nodes   []byte `json:"nodes"`
	Slices  []byte `json:"slices"`
}

func encodedOf(input *reconcileInput) (encodedInput, error) {
	var encoded encodedInput
	if input.Service == nil {
		return encoded, fmt.Errorf("nothing is loaded")
	}
	service := input.Service.DeepCopy()
	pods, nodes, slices := &corev1.PodList{}, &corev1.NodeList{}, &discoveryv1.EndpointSliceList{}
	for _, pod := range input.Pods {
		pods.Items = append(pods.Items, *pod)
	}
	for _, node := range input.Nodes {
		nodes.Items = append(nodes.Items, *node)
	}
	for _, slice := range input.Slices {
		slices.Items = append(slices.Items, *slice)
	}
	for _, one := range []struct {
		object runtime.Object
		into   *[]byte
	}{{service, &encoded.Service}, {pods, &encoded.Pods}, {nodes, &encoded.Nodes}, {slices, &encoded.Slices}} {
		kinds, _, err := scheme.Scheme.ObjectKinds(one.object)
		if err != nil {
			return encoded, err
		}
		one.object.GetObjectKind().SetGroupVersionKind(kinds[0])
		var out bytes.Buffer
		if err := asProtobuf.Encode(one.object, &out); err != nil {
			return encoded, err
		}
		*one.into = out.Bytes()
	}
	return encoded, nil
}

func (encoded *encodedInput) decoded() (*reconcileInput, error) {
	input := &reconcileInput{Service: &corev1.Service{}}
	pods, nodes, slices := &corev1.PodList{}, &corev1.NodeList{}, &discoveryv1.EndpointSliceList{}
	for _, one := range []struct {
		data []byte
		into runtime.Object
	}{{encoded.Service, input.Service}, {encoded.Pods, pods}, {encoded.Nodes, nodes}, {encoded.Slices, slices}} {
		object, _, err := asProtobuf.Decode(one.data, nil, one.into)
		if err != nil {
			return nil, err
		}
		if object != one.into {
			return nil, fmt.Errorf("%T is not %T", object, one.into)
		}
	}
	for i := range pods.Items {
		input.Pods = append(input.Pods, &pods.Items[i])
	}
	for i := range nodes.Items {
		input.Nodes = append(input.Nodes, &nodes.Items[i])
	}
	for i := range slices.Items {
		input.Slices = append(input.Slices, &slices.Items[i])
	}
	return input, nil
}
