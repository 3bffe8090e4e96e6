package verdict
import ("testing";"fmt";"spoor")
func BenchmarkZZ(b *testing.B){
 var q Queue
 for i:=range 150000 { q.Traffic=append(q.Traffic, spoor.Traffic{Source: spoor.Source{Kind: spoor.KindNetwork, Name: fmt.Sprint(i)}, History:&spoor.History{Accepted:1,Recipients:1,Delivered:1}})}
 b.ReportAllocs()
 for b.Loop(){ Judge(b.Context(), q)}
}
