module twonode.lab/delay

go 1.24
