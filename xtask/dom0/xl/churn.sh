# Guests made and ended again and again leave nothing behind.

t_churn() { # 2400 s
	disk churn 8
	config churn 41 "disk = [ '$GUESTS/churn.img,raw,xvda,w' ]"
	cycles churn "$(reps 10 200)"
	rm $GUESTS/churn.img
}
