const D=document,$=(s,e=D)=>e.querySelector(s),all=(e,s)=>[...e.querySelectorAll(s)],now=()=>performance.now(),
name=d=>$('bdi',d).textContent,say=(t,c)=>{let l=$('#live');l.textContent=t;l.className=c},
ms=v=>v==null?'–':v.toFixed(v<1?2:v<100?1:0)+' ms';
let main=$('main'),rows,es,timer,again,pause=1e3,last=0;
function index(){rows=new Map(all(main,'details').map(d=>[name(d),d]));
for(let t of all(main,'time'))t.textContent=new Date(t.title=t.textContent).toLocaleString('sv')}
function soon(){if(timer)again=1;else timer=setTimeout(load,Math.max(99,last+pause-now()))}
async function load(){again=0;last=now();try{
let r=await fetch('page'),d=new DOMParser().parseFromString(await r.text(),'text/html');
let m=$('main',d),h=$('h1'),g=$('h1',d),at=D.activeElement.closest('details');
if(r.ok&&m){for(let x of all(m,'details'))x.open=rows.get(name(x))?.open;
if(h.textContent!=g.textContent){h.className=g.className;h.firstChild.textContent=g.textContent}
main.replaceWith(m);main=m;index();if(at)rows.get(name(at))?.firstChild.focus({preventScroll:1});
D.title=d.title;$('link').href=$('link',d).href}}catch{}
pause=Math.max(1e3,9*(now()-last));timer=0;if(again)soon()}
function connect(){if(es||D.hidden)return;
es=new EventSource('events?checks=1');es.onopen=()=>{say('live','');soon()};
es.onerror=()=>{say('▲ not connected','s degraded');if(es.readyState==2){es=0;setTimeout(connect,3e3)}};
let on=(k,f)=>es.addEventListener(k,f);on('transition',soon);on('lost',soon);
on('check',e=>{let c=JSON.parse(e.data),x=rows.get(c.target);if(x)$('.l',x).textContent=ms(c.latency_ms)})}
D.addEventListener('visibilitychange',()=>{if(!D.hidden)return connect();es&&es.close();es=0});
index();connect();setInterval(()=>D.hidden||soon(),6e4)
