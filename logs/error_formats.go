package logs

// errorFormats lists the formats of error logs, most particular first.
var errorFormats = []*Format{apacheError, apache22Error, nginxError, lighttpdError, phpError, phpFPM, phpFPMSlow, mysqlError, kernelLog}
