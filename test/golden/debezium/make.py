"""Writes the .tsv files of this folder; see README.md."""
import base64, json, os
def J(o): return json.dumps(o,ensure_ascii=False,separators=(",",":"))
def b64(n,signed=True):
    l=max(1,(n.bit_length()+8)//8); return base64.b64encode(n.to_bytes(l,"big",signed=True)).decode()
def f(type,field,optional=True,name=None,params=None,version=None,default=None):
    d={"type":type,"optional":optional}
    if name: d["name"]=name
    if name: d["version"]=version or 1
    if params: d["parameters"]=params
    if default is not None: d["default"]=default
    d["field"]=field
    return d
OUT=os.path.dirname(os.path.abspath(__file__))+"/"
def schema(prefix,cols,source):
    img=lambda n:{"type":"struct","fields":cols,"optional":True,"name":prefix+".Value","field":n}
    block={"type":"struct","fields":[f("string","id",False),f("int64","total_order",False),f("int64","data_collection_order",False)],"optional":True,"name":"event.block","version":1,"field":"transaction"}
    return {"type":"struct","fields":[img("before"),img("after"),{"type":"struct","fields":source,"optional":False,"name":"io.debezium.connector."+prefix.split(".")[0]+".Source","version":1,"field":"source"},block,f("string","op",False),f("int64","ts_ms"),f("int64","ts_us"),f("int64","ts_ns")],"optional":False,"name":prefix+".Envelope","version":2}
def write(name,rows): open(OUT+name,"w").write("".join(("" if k is None else J(k))+"\t"+("" if v is None else J(v))+"\n" for k,v in rows))

# ---- PostgreSQL
DEC="org.apache.kafka.connect.data.Decimal"
pg=[f("int32","id",False),f("string","email",False),f("int64","visits",True),
 f("bytes","balance",True,DEC,{"scale":"2","connect.decimal.precision":"10"}),
 f("boolean","active"),f("float","score"),f("double","rate"),
 f("int64","created",True,"io.debezium.time.MicroTimestamp"),f("string","seen",True,"io.debezium.time.ZonedTimestamp"),
 f("int32","born",True,"io.debezium.time.Date"),f("int64","wakes",True,"io.debezium.time.MicroTime"),
 f("string","uid",True,"io.debezium.data.Uuid"),f("string","doc",True,"io.debezium.data.Json"),f("bytes","photo"),f("string","bio"),
 {"type":"array","items":{"type":"string","optional":True},"optional":True,"field":"tags"}]
pgsrc=[f("string","version",False),f("string","connector",False),f("string","name",False),f("int64","ts_ms",False),f("string","snapshot",True,"io.debezium.data.Enum",{"allowed":"first,first_in_data_collection,last_in_data_collection,last,true,false,incremental"},default="false"),f("string","db",False),f("string","sequence"),f("int64","ts_us"),f("int64","ts_ns"),f("string","schema",False),f("string","table",False),f("int64","txId"),f("int64","lsn"),f("int64","xmin")]
S=schema("shop.inventory.customers",pg,pgsrc)
KS={"type":"struct","fields":[f("int32","id",False,default=0)],"optional":False,"name":"shop.inventory.customers.Key"}
def src(lsn,snap="false",table="customers"):
    return {"version":"3.0.0.Final","connector":"postgresql","name":"shop","ts_ms":1750000000000+lsn,"snapshot":snap,"db":"shop","sequence":J([str(lsn-8),str(lsn)]),"ts_us":(1750000000000+lsn)*1000,"ts_ns":(1750000000000+lsn)*1000000,"schema":"inventory","table":table,"txId":700+lsn,"lsn":lsn,"xmin":None}
def ev(op,before,after,lsn,snap="false"):
    t=1750000000100+lsn
    return {"before":before,"after":after,"source":src(lsn,snap),"transaction":None,"op":op,"ts_ms":t,"ts_us":t*1000+7,"ts_ns":t*1000000+7001}
PH="__debezium_unavailable_value"
a={"id":1,"email":"anne@example.org","visits":9223372036854775807,"balance":b64(-12345),"active":True,"score":0.1,"rate":1.7976931348623157e308,"created":1700000000123456,"seen":"2024-03-31T01:59:59.999999Z","born":-719162,"wakes":86399999999,"uid":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","doc":"{\"a\": [1, 2]}","photo":base64.b64encode(bytes([0,255,16])).decode(),"bio":"Zürich — \"quoted\" \\ 😀\n","tags":["x","y\"z"]}
b={**{k:None for k in a},"id":2,"email":"bob@example.org","visits":-9223372036854775808}
b2={**b,"balance":b64(9999999999),"bio":"long text"}
b3={**b2,"active":False,"bio":PH,"photo":base64.b64encode(PH.encode()).decode(),"tags":[PH]}
keyonly=lambda i:{**{k:None for k in a},"id":i,"email":""}
c={**b2,"id":20}
events=[(1,ev("r",None,a,24023128,"first")),(2,ev("r",None,b,24023128,"last")),(2,ev("u",None,b2,24023400)),(2,ev("u",None,b3,24023500)),
 (2,ev("d",keyonly(2),None,24023600)),(2,None),(20,ev("c",None,c,24023600)),(1,ev("d",keyonly(1),None,24023700)),(1,None)]
trunc={"source":src(24023800),"op":"t","ts_ms":1750000000999}
msg={"op":"m","ts_ms":1750000001000,"source":src(24023900,table=""),"message":{"prefix":"foo","content":"Ymar"}}
def wrap(s,p): return {"schema":s,"payload":p}
HB={"type":"struct","fields":[f("int64","ts_ms",False)],"optional":False,"name":"io.debezium.connector.common.Heartbeat"}
TX={"type":"struct","fields":[f("string","status",False),f("string","id",False),f("int64","event_count"),f("int64","ts_ms",False)],"optional":False,"name":"io.debezium.connector.common.TransactionMetadataValue"}
hb=({"serverName":"shop"},{"ts_ms":1750000000500}); tx=({"id":"571:53195829"},{"status":"BEGIN","id":"571:53195829","event_count":None,"data_collections":None,"ts_ms":1750000000001})
rows=[({"id":k},v) for k,v in events]
write("postgres-schemaless.tsv",[tx]+rows[:4]+[hb]+rows[4:]+[(None,trunc),(None,msg)])
W=lambda k,v:(wrap(KS,k) if k is not None else None, wrap(S,v) if v is not None else None)
write("postgres-schema.tsv",[(wrap({"type":"struct","fields":[f("string","id",False)],"optional":False,"name":"io.debezium.connector.common.TransactionMetadataKey"},tx[0]),wrap(TX,tx[1]))]+[W(k,v) for k,v in rows[:4]]+[(wrap({"type":"struct","fields":[f("string","serverName",False)],"optional":False,"name":"io.debezium.connector.common.ServerNameKey"},hb[0]),wrap(HB,hb[1]))]+[W(k,v) for k,v in rows[4:]]+[W(None,trunc),W(None,msg)])

# ---- MySQL
my=[f("bytes","id",False,DEC,{"scale":"0","connect.decimal.precision":"20"}),f("string","customer",False),
 f("string","status",True,"io.debezium.data.Enum",{"allowed":"new,paid,shipped"}),f("string","flags",True,"io.debezium.data.EnumSet",{"allowed":"gift,express"}),
 f("bytes","total",False,DEC,{"scale":"2","connect.decimal.precision":"12"}),f("int64","created",True,"io.debezium.time.Timestamp"),f("int64","exact",True,"io.debezium.time.MicroTimestamp"),
 f("string","updated",True,"io.debezium.time.ZonedTimestamp"),f("int32","due",True,"io.debezium.time.Date"),f("int64","slot",True,"io.debezium.time.MicroTime"),f("int32","vintage",True,"io.debezium.time.Year"),
 f("bytes","mask",True,"io.debezium.data.Bits",{"length":"12"}),f("int16","open"),f("bytes","body"),f("string","extra",True,"io.debezium.data.Json")]
mysrc=[f("string","version",False),f("string","connector",False),f("string","name",False),f("int64","ts_ms",False),f("string","snapshot"),f("string","db",False),f("string","sequence"),f("int64","ts_us"),f("int64","ts_ns"),f("string","table"),f("int64","server_id",False),f("string","gtid"),f("string","file",False),f("int64","pos",False),f("int32","row",False),f("int64","thread"),f("string","query")]
SM=schema("shop.inventory.orders",my,mysrc)
KM={"type":"struct","fields":[my[0]],"optional":False,"name":"shop.inventory.orders.Key"}
def msrc(pos,snap="false"): return {"version":"3.0.0.Final","connector":"mysql","name":"shop","ts_ms":1750000000000,"snapshot":snap,"db":"inventory","sequence":None,"ts_us":1750000000000000,"ts_ns":1750000000000000000,"table":"orders","server_id":223344,"gtid":"24bc7850-2c16-11e6-a073-0242ac110002:"+str(pos),"file":"mysql-bin.000003","pos":pos,"row":0,"thread":7,"query":None}
def mev(op,b,a,pos,snap="false"):
    t=1750000000200+pos
    return {"before":b,"after":a,"source":msrc(pos,snap),"transaction":None,"op":op,"ts_ms":t,"ts_us":t*1000,"ts_ns":t*1000000}
big=2**64-1
o1={"id":b64(big),"customer":"O’Neill & Söhne","status":"new","flags":"gift,express","total":b64(1999),"created":1704164645123,"exact":1704164645123456,"updated":"2024-01-02T03:04:05Z","due":19724,"slot":45296123456,"vintage":1999,"mask":base64.b64encode(bytes([0x01,0x08])).decode(),"open":1,"body":base64.b64encode(b"\x00\x01\xfe\xff").decode(),"extra":"{\"k\":\"v\"}"}
o1b={**o1,"status":"paid","total":b64(-1)}
o2={**{k:None for k in o1},"id":b64(7),"customer":"x","total":b64(0)}
o3={**o2,"id":b64(8)}
kid=lambda o:{"id":o["id"]}
mrows=[(kid(o1),mev("r",None,o1,1,"true")),(kid(o2),mev("c",None,o2,154)),(kid(o1),mev("u",o1,o1b,300)),(kid(o2),mev("d",o2,None,400)),(kid(o2),None),(kid(o3),mev("c",None,o3,400)),(kid(o1),mev("d",o1b,None,500)),(kid(o1),None)]
ddl=({"databaseName":"inventory"},{"source":msrc(120),"ts_ms":1750000000300,"databaseName":"inventory","schemaName":None,"ddl":"ALTER TABLE orders ADD COLUMN extra JSON","tableChanges":[{"type":"ALTER","id":"\"inventory\".\"orders\"","table":{"defaultCharsetName":"utf8mb4","primaryKeyColumnNames":["id"],"columns":[]},"comment":None}]})
DS={"type":"struct","fields":[],"optional":False,"name":"io.debezium.connector.mysql.SchemaChangeValue","version":1}
write("mysql-schema.tsv",[(wrap({"type":"struct","fields":[f("string","databaseName",False)],"optional":False,"name":"io.debezium.connector.mysql.SchemaChangeKey"},ddl[0]),wrap(DS,ddl[1]))]+[(wrap(KM,k),wrap(SM,v) if v is not None else None) for k,v in mrows])
# without schema only string and double handling modes can be read: decimal.handling.mode=string
def plain(o):
    if o is None: return None
    d=dict(o)
    for k,s in (("id",0),("total",2)):
        n=int.from_bytes(base64.b64decode(o[k]),"big",signed=True); sign="-" if n<0 else ""; t=str(abs(n)).rjust(s+1,"0")
        d[k]=sign+(t if s==0 else t[:-s]+"."+t[-s:])
    return d
ml=[]
for k,v in mrows:
    n=int.from_bytes(base64.b64decode(k["id"]),"big",signed=True)
    ml.append(({"id":str(n)},None if v is None else {**v,"before":plain(v["before"]),"after":plain(v["after"])}))
write("mysql-schemaless.tsv",[ddl]+ml)
# PG schemaless: decimal.handling.mode=string
t=open(OUT+"postgres-schemaless.tsv").read()
t=t.replace('"balance":"%s"'%b64(-12345),'"balance":"-123.45"').replace('"balance":"%s"'%b64(9999999999),'"balance":"99999999.99"')
open(OUT+"postgres-schemaless.tsv","w").write(t)
