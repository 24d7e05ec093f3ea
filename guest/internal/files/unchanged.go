// What a tree was made from must still be there when it moves into place.

package files

import (
	"context"
	"os"
)

// nothing is the type of an item that is not there.
const nothing = "none"

// unchanged refuses if one of the items is no longer in the folder as the sender of the tree saw it.
func unchanged(ctx context.Context, folder string, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	root, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for index := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		isSame, err := items[index].standsIn(root)
		if err != nil {
			return err
		}
		if !isSame {
			return refuse("changed_meanwhile", "%.500q has changed meanwhile", items[index].Path)
		}
	}
	return nil
}

func (i *Item) standsIn(root *os.File) (bool, error) {
	parent, name := split(string(i.Path))
	around, err := openBelow(root, parent)
	if err != nil {
		return false, err
	}
	defer around.close()
	n, err := around.find(name)
	if err != nil || i.Type == nothing {
		return n == nil, err
	}
	return i.equals(n)
}
